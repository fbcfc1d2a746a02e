//! A machine: native code with a stack of its own, which stands still wherever it hands something out, and goes on when it is
//! handed something. It may go on, or end, on another thread than it began on.

use std::cell::Cell;
use std::ptr::NonNull;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

/// See the file's head. What goes in and what comes out may cross threads; all else stays on its stack.
pub struct Machine<In: Send, Out: Send> {
    coroutine: Coroutine<In, Out, ()>,
    /// How it rests, while it stands still.
    rest: Option<Rest>,
}

/// What lets the machine that runs stand still wherever it is, and tells whether it is to end.
type Rest = NonNull<dyn Fn() -> bool>;

thread_local! {
    /// Of the machine that runs on this thread. It is there as long as `interruptible` is at work in that machine.
    static REST: Cell<Option<Rest>> = const { Cell::new(None) };
    static WORK: Cell<usize> = const { Cell::new(0) };
}

/// Work between two rests: so many bytes that are compared or copied.
pub const WORK_MAX: usize = 16 << 20;

/// Runs `body`, a part of a machine, in which `stand_still` calls `rest`.
pub fn interruptible<R>(rest: &dyn Fn() -> bool, body: impl FnOnce() -> R) -> R {
    struct Until(Option<Rest>);
    impl Drop for Until {
        fn drop(&mut self) {
            replace_rest(self.0);
        }
    }
    // SAFETY: only the lifetime is another. The pointer is gone from `REST` when `_until` is dropped, before the lifetime ends; a machine
    // that stands still meanwhile takes it along, and its frames, to which it points, stay as they are.
    let rest = unsafe { std::mem::transmute::<NonNull<dyn Fn() -> bool + '_>, Rest>(NonNull::from(rest)) };
    let _until = Until(replace_rest(Some(rest)));
    body()
}

/// Where a thread keeps this is looked up at each call: a machine that goes on on another thread has another one there.
#[inline(never)]
fn replace_rest(rest: Option<Rest>) -> Option<Rest> {
    REST.replace(rest)
}

/// Lets the machine that runs stand still, if one does. Is it to end?
#[inline(never)]
pub fn stand_still() -> bool {
    // SAFETY: it is there as long as it stands in `REST`: see `interruptible`.
    REST.get().is_some_and(|rest| unsafe { rest.as_ref()() })
}

// SAFETY: `body` is Send, and so is all that is handed in and out, so that what its stack and the memory behind it hold was made by
// itself and is reached from nowhere else: it goes along as a whole. By the contract of `new` it holds nothing that belongs to a
// thread while it stands still.
unsafe impl<In: Send, Out: Send> Send for Machine<In, Out> {}

impl<In: Send + 'static, Out: Send + 'static> Machine<In, Out> {
    /// A machine that will run `body` with the first thing it is handed. It takes so much address space for its stack, backed by
    /// memory as far as that is used. `body` must hold nothing of a thread's own (a guard of a lock, a reference to a thread-local)
    /// while it stands still.
    ///
    /// # Errors
    /// If the system has no room for the stack.
    pub fn new(
        stack_bytes: usize,
        body: impl FnOnce(&Yielder<In, Out>, In) + Send + 'static,
    ) -> std::io::Result<Machine<In, Out>> {
        let stack = DefaultStack::new(stack_bytes)?;
        Ok(Machine { coroutine: Coroutine::with_stack(stack, body), rest: None })
    }

    /// Has it come to its end?
    pub fn is_done(&self) -> bool {
        self.coroutine.done()
    }

    /// Goes on until it hands something out, or to its end (None).
    pub fn resume(&mut self, input: In) -> Option<Out> {
        if self.is_done() {
            return None;
        }
        let outer = replace_rest(self.rest.take());
        let result = self.coroutine.resume(input);
        self.rest = replace_rest(outer);
        match result {
            CoroutineResult::Yield(out) => Some(out),
            CoroutineResult::Return(()) => None,
        }
    }
}

/// Notes work, and lets the machine that runs stand still after much of it. Is it to end?
#[inline(never)]
pub fn note_work(work: usize) -> bool {
    let done = WORK.get().saturating_add(work);
    WORK.set(if done < WORK_MAX { done } else { 0 });
    done >= WORK_MAX && stand_still()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn it_goes_on_where_it_stood_also_on_another_thread() {
        let mut machine = Machine::new(1 << 16, |yielder, first: u64| {
            let own = Rc::new(first);
            let mut sum = *own;
            while sum < 100 {
                sum += *own.clone() * yielder.suspend(sum);
            }
        })
        .expect("a stack");
        assert_eq!(machine.resume(3), Some(3));
        assert_eq!(machine.resume(10), Some(33));
        let mut machine = std::thread::scope(|scope| {
            let other = scope.spawn(move || {
                assert_eq!(machine.resume(20), Some(93));
                machine
            });
            other.join().expect("no panic")
        });
        assert_eq!(machine.resume(5), None);
        assert!(machine.is_done());
        assert_eq!(machine.resume(1), None);
    }
}
