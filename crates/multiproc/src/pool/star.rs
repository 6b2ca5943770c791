//! Functions of several arguments, called with a tuple.

/// A function that [`starmap`](super::Pool::starmap) calls with the elements
/// of a tuple as its arguments: a plain function or a closure that captures
/// nothing, with one to six of them.
pub trait Star<Arguments, R>: Copy + Send + 'static {
    /// Calls it.
    fn call(self, arguments: Arguments) -> R;
}

macro_rules! star {
    ($($argument:ident),+) => {
        impl<F, R, $($argument),+> Star<($($argument,)+), R> for F
        where
            F: Fn($($argument),+) -> R + Copy + Send + 'static,
        {
            #[allow(non_snake_case, reason = "a type and a value for each argument")]
            fn call(self, ($($argument,)+): ($($argument,)+)) -> R {
                self($($argument),+)
            }
        }
    };
}

star!(A);
star!(A, B);
star!(A, B, C);
star!(A, B, C, D);
star!(A, B, C, D, E);
star!(A, B, C, D, E, G);
