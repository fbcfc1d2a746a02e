use crate::runner::check;

#[test]
fn adding_counting_merging() {
    check(
        r#"
        > PFADD h a b c
        (int) 1
        > PFADD h a
        (int) 0
        > PFCOUNT h
        (int) 3
        > PFADD other c d
        (int) 1
        > PFCOUNT h other nokey
        (int) 4
        > PFMERGE m h other
        OK
        > PFCOUNT m
        (int) 4
        > PFADD empty
        (int) 1
        > PFCOUNT empty
        (int) 0
        > PFDEBUG ENCODING h
        sparse
        > PFDEBUG TODENSE h
        (int) 1
        > PFADD h a
        (int) 0
        > PFADD h z
        (int) 1
        > PFCOUNT h
        (int) 4
        > PFSELFTEST
        OK
        > SET s text
        OK
        > PFADD s a
        (error) WRONGTYPE Key is not a valid HyperLogLog string value.
        > PFCOUNT nokey
        (int) 0
        > PFDEBUG DECODE empty
        Z:16384
        "#,
    );
}

#[test]
fn an_empty_one_is_made_without_a_count_in_store() {
    check(
        r#"
        > PFADD p
        (int) 1
        > GET p
        "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff"
        > PFCOUNT p
        (int) 0
        "#,
    );
}
