//! Deaths, exhaustion and rubbish.
