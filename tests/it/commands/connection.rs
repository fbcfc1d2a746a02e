use crate::runner::check;

#[test]
fn ping_answers() {
    check(
        r#"
        > PING
        PONG
        > PING hello
        hello
        > PING a b
        (error) ERR wrong number of arguments for 'ping' command
        > NOSUCH a b
        (error) ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' 
        "#,
    );
}
