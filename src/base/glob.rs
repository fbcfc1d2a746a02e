//! Redis's glob patterns: `*`, `?`, `[a-z]`, `[^a]`, and `\` before a character that stands for itself.
//!
//! Every element but `*` takes exactly one byte, so on a mismatch it is enough to go back to the *last* star and let
//! it take one byte more. Work is at most pattern times text, never exponential.

/// Whether upper and lower case ASCII letters are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// `a` is not `A`.
    Sensitive,
    /// `a` is `A`, except after a backslash inside brackets.
    Ignored,
}

/// So many stars that do not end the pattern are tried; at the next one the text is taken not to match, as in Redis.
const STARS_MAX: usize = 1000;

/// Whether the whole of `text` matches `pattern`. Stars match the empty text too, where Redis lets only an empty
/// pattern match it.
pub fn is_match(pattern: &[u8], text: &[u8], case: Case) -> bool {
    let (mut p, mut t) = (0, 0);
    // The pattern after the last star, and the text position at which it is being tried.
    let mut retry: Option<(usize, usize)> = None;
    let mut stars = 0;
    loop {
        if pattern.get(p) == Some(&b'*') {
            while pattern.get(p) == Some(&b'*') {
                p += 1;
            }
            if p == pattern.len() {
                return true;
            }
            stars += 1;
            if stars > STARS_MAX {
                return false;
            }
            retry = Some((p, t));
            continue;
        }
        if t == text.len() {
            return p == pattern.len();
        }
        if p < pattern.len() {
            let (is_equal, next) = match_one(pattern, p, text[t], case);
            if is_equal {
                (p, t) = (next, t + 1);
                continue;
            }
        }
        let Some((after_star, tried_at)) = retry else {
            return false;
        };
        retry = Some((after_star, tried_at + 1));
        (p, t) = (after_star, tried_at + 1);
    }
}

/// Whether `pattern` holds nothing special: it then matches only itself.
pub fn is_literal(pattern: &[u8]) -> bool {
    !pattern.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'))
}

/// Tries the element at `p`, which is not a star, on one byte. Returns the verdict and where the next element starts.
fn match_one(pattern: &[u8], p: usize, byte: u8, case: Case) -> (bool, usize) {
    match pattern[p] {
        b'?' => (true, p + 1),
        b'[' => match_class(pattern, p + 1, byte, case),
        b'\\' if p + 1 < pattern.len() => (fold(pattern[p + 1], case) == fold(byte, case), p + 2),
        literal => (fold(literal, case) == fold(byte, case), p + 1),
    }
}

/// The inside of brackets from `p` on. A class that is never closed ends with the pattern.
fn match_class(pattern: &[u8], mut p: usize, byte: u8, case: Case) -> (bool, usize) {
    let is_negated = pattern.get(p) == Some(&b'^');
    p += usize::from(is_negated);
    let mut is_member = false;
    loop {
        match &pattern[p..] {
            [] => break,
            [b'\\', escaped, ..] => {
                is_member |= *escaped == byte;
                p += 2;
            }
            [b']', ..] => {
                p += 1;
                break;
            }
            [first, b'-', last, ..] => {
                let (first, last) = (fold(*first, case), fold(*last, case));
                is_member |= (first.min(last)..=first.max(last)).contains(&fold(byte, case));
                p += 3;
            }
            [single, ..] => {
                is_member |= fold(*single, case) == fold(byte, case);
                p += 1;
            }
        }
    }
    (is_member != is_negated, p)
}

fn fold(byte: u8, case: Case) -> u8 {
    match case {
        Case::Sensitive => byte,
        Case::Ignored => byte.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    fn matches(pattern: &str, text: &str) -> bool {
        is_match(pattern.as_bytes(), text.as_bytes(), Case::Sensitive)
    }

    #[test]
    fn too_many_stars_match_nothing() {
        assert!(matches(&"*?".repeat(1000), &"a".repeat(1000)));
        assert!(matches(&("*?".repeat(1000) + "**"), &"a".repeat(1000)));
        assert!(!matches(&"*?".repeat(1001), &"a".repeat(1001)));
        assert!(matches(&("*".repeat(2000) + "a"), "a"));
    }

    #[test]
    fn patterns_match_as_in_redis() {
        for (pattern, text) in [
            ("h?llo", "hello"),
            ("h*llo", "hllo"),
            ("h*llo", "heeeello"),
            ("h[ae]llo", "hallo"),
            ("h[^e]llo", "hbllo"),
            ("h[a-b]llo", "hbllo"),
            ("h[b-a]llo", "hallo"),
            ("\\*", "*"),
            ("[\\]]", "]"),
            ("**", ""),
            ("*", ""),
            ("", ""),
            ("[a", "a"),
            ("a\\", "a\\"),
            ("*a*b*", "xxaxxbxx"),
            ("[^", "x"),
            ("a[-]b", "a-b"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("h[^e]llo", "hello"),
            ("?", ""),
            ("a", ""),
            ("", "a"),
            ("h?llo", "hllo"),
            ("[]", "a"),
            ("\\*", "a"),
            ("a*b", "a"),
            ("a\\", "a"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
        assert!(is_match(b"H[A-C]*", b"hbX", Case::Ignored));
        assert!(is_literal(b"abc") && !is_literal(b"a*"));
    }

    #[test]
    fn hostile_patterns_take_polynomial_time() {
        let pattern = "a*".repeat(2000) + "b";
        assert!(!matches(&pattern, &"a".repeat(4000)));
    }

    /// The definition, exponential: what `is_match` must agree with.
    fn model(pattern: &[u8], text: &[u8], case: Case) -> bool {
        match (pattern, text) {
            ([], _) => text.is_empty(),
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|skip| model(rest, &text[skip..], case)),
            (_, []) => false,
            (_, [first, rest @ ..]) => {
                let (is_equal, next) = match_one(pattern, 0, *first, case);
                is_equal && model(&pattern[next..], rest, case)
            }
        }
    }

    #[test]
    fn random_patterns_agree_with_the_definition() {
        let mut rng = Rng::new(3);
        for _ in 0..50_000 {
            let draw = |rng: &mut Rng, letters: &[u8], max: u64| -> Vec<u8> {
                (0..rng.below(max)).map(|_| letters[rng.below(letters.len() as u64) as usize]).collect()
            };
            let pattern = draw(&mut rng, b"ab**?[]^-\\A", 9);
            let text = draw(&mut rng, b"abA]-", 8);
            for case in [Case::Sensitive, Case::Ignored] {
                assert_eq!(is_match(&pattern, &text, case), model(&pattern, &text, case), "{pattern:?} {text:?}");
            }
        }
    }
}
