use crate::runner::check;

#[test]
fn set_and_get() {
    check(
        r#"
        > GET k
        (nil)
        > SET k v
        OK
        > GET k
        v
        "#,
    );
}
