//! Two functions of C's library, in place of its own: Lua compares strings by `strcoll` and reads numbers by `strtod`, each in one
//! instruction, however long the strings are. These let the machine that runs stand still on the way. Nothing else shows a
//! string's length before an instruction walks it, as an instruction may join one, too. Elsewhere they do what C's own do in a
//! process that never leaves the locale "C", as this one.
//!
//! They are called in the middle of instructions: nothing of Lua may be touched before they return but its hook.

use std::ffi::{c_char, c_double, c_int};

use super::machine::note_work;

/// Bytes that are compared at a stroke. Instructions that compare no more are counted, and that is enough.
const PART_BYTES: usize = 4 << 10;
/// Texts below this length are read as numbers at a stroke.
const NUMBER_BYTES: usize = 4 << 10;
/// A call of a function, and a byte that is read as a number, are as much work as so many bytes.
const CALL_WORK: usize = 64;
const DIGIT_WORK: usize = 8;

/// Which of two strings comes first? What this says in a machine that is to end does not matter any more.
///
/// # Safety
/// Both end with a zero byte.
#[unsafe(no_mangle)]
unsafe extern "C" fn strcoll(left: *const c_char, right: *const c_char) -> c_int {
    let mut at = 0;
    loop {
        // SAFETY: both strings are alike so far, and neither has come to its end, which none of the two calls passes.
        let (order, len) = unsafe {
            let order = libc::strncmp(left.add(at), right.add(at), PART_BYTES);
            (order, if order == 0 { libc::strnlen(left.add(at), PART_BYTES) } else { 0 })
        };
        if order != 0 {
            return order;
        }
        if note_work(len + CALL_WORK) {
            return 1;
        }
        if len < PART_BYTES {
            return 0;
        }
        at += len;
    }
}

/// Reads the number that a text begins with; `end` is where it ends. In a machine that is to end it may be none.
///
/// # Safety
/// The text ends with a zero byte, and `end` is null or can be written to.
// What stands for `strtod_l` in musl is `strtod` itself.
#[cfg(any(target_env = "gnu", target_vendor = "apple"))]
#[unsafe(no_mangle)]
unsafe extern "C" fn strtod(text: *const c_char, end: *mut *mut c_char) -> c_double {
    unsafe extern "C" {
        fn strtod_l(text: *const c_char, end: *mut *mut c_char, locale: libc::locale_t) -> c_double;
    }
    // SAFETY: by the contract of this function; the locale "C" is there as long as the process.
    unsafe {
        if libc::strnlen(text, NUMBER_BYTES) == NUMBER_BYTES && note_work(libc::strlen(text).saturating_mul(DIGIT_WORK))
        {
            if !end.is_null() {
                *end = text.cast_mut();
            }
            return 0.0;
        }
        strtod_l(text, end, c_locale())
    }
}

#[cfg(any(target_env = "gnu", target_vendor = "apple"))]
#[inline(never)]
fn c_locale() -> libc::locale_t {
    thread_local! {
        static LOCALE: libc::locale_t = {
            // SAFETY: the name ends with a zero byte, and there is no locale that this one is to be made from.
            let locale = unsafe { libc::newlocale(libc::LC_ALL_MASK, c"C".as_ptr(), std::ptr::null_mut()) };
            assert!(!locale.is_null(), "the locale \"C\" is there");
            locale
        };
    }
    LOCALE.with(|locale| *locale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::machine::{self, Machine, WORK_MAX};
    use std::ffi::CString;

    unsafe extern "C" {
        fn atof(text: *const c_char) -> c_double;
    }

    fn order_of(left: &str, right: &str) -> i32 {
        let (left, right) = (CString::new(left).expect("no zero"), CString::new(right).expect("no zero"));
        // SAFETY: both end with a zero byte.
        unsafe { strcoll(left.as_ptr(), right.as_ptr()) }.signum()
    }

    #[test]
    fn strings_have_the_order_of_their_bytes() {
        let long = "x".repeat(3 * PART_BYTES);
        for (left, right, order) in [
            ("", "", 0),
            ("a", "", 1),
            ("", "a", -1),
            ("abc", "abd", -1),
            ("abc", "ab", 1),
            ("z", "\u{e9}", -1),
            (&long, &long, 0),
            (&long, &long[1..], 1),
            (&long[..PART_BYTES], &long[..PART_BYTES], 0),
            (&long[..PART_BYTES], &long, -1),
        ] {
            assert_eq!(order_of(left, right), order, "{} and {} bytes", left.len(), right.len());
        }
    }

    #[test]
    fn numbers_are_read_as_ever() {
        let blanks = " ".repeat(2 * NUMBER_BYTES);
        for (text, number, rest) in [
            ("1", 1.0, ""),
            (" -1.5e3x", -1500.0, "x"),
            ("0x10", 16.0, ""),
            ("inf", f64::INFINITY, ""),
            (".", 0.0, "."),
            ("", 0.0, ""),
            (&format!("{blanks}7"), 7.0, ""),
            (&format!("{blanks}{}1 ", "0".repeat(NUMBER_BYTES)), 1.0, " "),
            ("0.1", 0.1, ""),
        ] {
            let text = CString::new(text).expect("no zero");
            let mut end = std::ptr::null_mut();
            // SAFETY: the text ends with a zero byte, and `end` is ours.
            let (read, left) = unsafe {
                let read = strtod(text.as_ptr(), &raw mut end);
                (read, std::ffi::CStr::from_ptr(end).to_bytes())
            };
            assert_eq!((read, left), (number, rest.as_bytes()), "{text:?}");
            // SAFETY: as above.
            assert_eq!(unsafe { atof(text.as_ptr()) }, number);
        }
    }

    #[test]
    fn long_strings_let_a_machine_stand_still_and_end() {
        let text = |byte: u8| CString::new(vec![byte; 4 * WORK_MAX]).expect("no zero");
        let (left, right, digits) = (text(b'x'), text(b'x'), text(b'1'));
        let mut machine = Machine::new(1 << 16, move |yielder, _: bool| {
            let rest = || yielder.suspend(0);
            machine::interruptible(&rest, || {
                // SAFETY: each ends with a zero byte.
                let order = unsafe { strcoll(left.as_ptr(), right.as_ptr()) };
                yielder.suspend(order);
                // SAFETY: as above.
                let number = unsafe { strtod(digits.as_ptr(), std::ptr::null_mut()) };
                yielder.suspend(number as i32);
            });
        })
        .expect("a stack");
        assert_eq!([false; 4].map(|go_on| machine.resume(go_on)), [Some(0); 4]);
        assert_eq!(machine.resume(true), Some(1), "it ends at once");
        assert_eq!(machine.resume(false), Some(0));
        assert_eq!(machine.resume(false), Some(i32::MAX), "all digits were read");
        assert_eq!(machine.resume(false), None);
    }
}
