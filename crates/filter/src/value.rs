//! A value of the query language, as it was written.

use std::borrow::Cow;
use std::ops::Range;

/// The value with which a field is compared, or free text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ValueSyntax<'a> {
    pub text: Cow<'a, str>,
    pub form: Form,
    pub span: Range<usize>,
}

/// The notation of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Quoted,
    Regex,
}
