//! Rules of users: the same random ones go to our server and to a real one; what they say of themselves and what they allow
//! must agree.

use russet::base::rng::Rng;

use super::server::Server;
use super::wire::Conn;
use super::{number, oracle_program};

/// A rule of a user, of any kind, often one that cannot be.
fn random_rule(rng: &mut Rng, commands: &[String]) -> String {
    const CATEGORIES: [&str; 8] = ["read", "write", "string", "fast", "dangerous", "keyspace", "pubsub", "all"];
    const OTHERS: [&str; 30] = [
        "on",
        "off",
        "nopass",
        "resetpass",
        ">one",
        ">two",
        "<one",
        "~*",
        "~a*",
        "~b",
        "%R~a*",
        "%W~a*",
        "%RW~c*",
        "%~x",
        "resetkeys",
        "allkeys",
        "&*",
        "&ch*",
        "&other",
        "resetchannels",
        "allchannels",
        "allcommands",
        "nocommands",
        "reset",
        "clearselectors",
        "(+get ~x)",
        "(+@all -set %R~y* &c*)",
        "+select|0",
        "(~k +mget -mget|x)",
        "nonsense",
    ];
    let sign = if rng.below(3) == 0 { '-' } else { '+' };
    match rng.below(10) {
        0..4 => format!("{sign}{}", commands[rng.below(commands.len() as u64) as usize]),
        4..6 => format!("{sign}@{}", CATEGORIES[rng.below(CATEGORIES.len() as u64) as usize]),
        _ => OTHERS[rng.below(OTHERS.len() as u64) as usize].to_owned(),
    }
}

#[test]
fn rules_of_users_mean_the_same() {
    let ours = Server::start(env!("CARGO_BIN_EXE_russet"), &[]);
    let theirs = Server::start(&oracle_program(), &[]);
    let (mut us, mut them) = (Conn::new(ours.connect()), Conn::new(theirs.connect()));
    let mut rng = Rng::new(number("RUSSET_DIFF_SEED", 1));
    let known = us.ask(&["COMMAND", "LIST"]).texts();
    let mut commands = them.ask(&["COMMAND", "LIST"]).texts();
    commands.retain(|name| known.contains(name));
    commands.sort();
    assert!(commands.len() > 200, "{} commands in common", commands.len());
    let requests: [&[&str]; 16] = [
        &["GET", "a1"],
        &["GET", "x"],
        &["SET", "a1", "v"],
        &["SET", "y2", "v", "GET"],
        &["MGET", "a", "b"],
        &["COPY", "a1", "c1"],
        &["RENAME", "b", "c2"],
        &["PUBLISH", "ch1", "m"],
        &["SUBSCRIBE", "ch1", "other"],
        &["PSUBSCRIBE", "ch*"],
        &["CONFIG", "GET", "x"],
        &["CONFIG", "SET", "x", "y"],
        &["SELECT", "0"],
        &["SELECT", "1"],
        &["ZUNIONSTORE", "c", "2", "a1", "a2"],
        &["SORT", "a", "STORE", "b"],
    ];
    for round in 0..1500 {
        let mut setuser = vec!["ACL".to_owned(), "SETUSER".to_owned(), format!("user{}", rng.below(4))];
        setuser.extend((0..1 + rng.below(5)).map(|_| random_rule(&mut rng, &commands)));
        let name = setuser[2].clone();
        let mut asked: Vec<Vec<String>> = vec![setuser.clone()];
        asked.push(["ACL", "GETUSER", &name].map(str::to_owned).to_vec());
        asked.push(["ACL", "LIST"].map(str::to_owned).to_vec());
        for request in requests {
            let dry_run = ["ACL", "DRYRUN", &name].into_iter().chain(request.iter().copied());
            asked.push(dry_run.map(str::to_owned).collect());
        }
        for words in asked {
            let argv: Vec<&str> = words.iter().map(String::as_str).collect();
            let (got, wanted) = (us.ask(&argv).show(), them.ask(&argv).show());
            assert_eq!(got, wanted, "round {round}: {} (after {})", words.join(" "), setuser.join(" "));
        }
    }
}
