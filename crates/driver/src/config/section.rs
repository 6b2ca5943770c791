//! A TOML table whose keys and values know where they stand in the file.

use std::{fmt, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{ConfigError, suggest};

/// The text of a config, for line numbers and for quoting values.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

/// One table of the file.
pub(super) struct Section<'a> {
    text: Text<'a>,
    name: &'a str,
    line: usize,
    table: &'a DeTable<'a>,
}

/// The value of one key, or one item of its list.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    text: Text<'a>,
    key: &'a str,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Text<'a> {
    /// The line, from 1, that holds the byte at `offset`.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
    }

    fn quote(&self, span: Range<usize>) -> &'a str {
        self.text.get(span).unwrap_or_default()
    }
}

impl<'a> Section<'a> {
    /// A table that may hold the keys `allowed` and no others. `name` is what
    /// messages call it, e.g. `[[experiment]]`.
    ///
    /// # Errors
    ///
    /// If there is any other key, with the one that was probably meant.
    pub(super) fn new(
        text: Text<'a>,
        name: &'a str,
        span: Range<usize>,
        table: &'a DeTable<'a>,
        allowed: &[&str],
    ) -> Result<Self, ConfigError> {
        let line = text.line(span.start);
        for key in table.keys() {
            let known: &str = key.get_ref();
            if !allowed.contains(&known) {
                let help = suggest::among(known, allowed.iter().copied());
                let problem = format!("unknown key `{known}` in {name}");
                return Err(ConfigError::at(text.file, text.line(key.span().start), problem, help));
            }
        }
        Ok(Self { text, name, line, table })
    }

    /// The value of `key`, if it is there.
    pub(super) fn get(&self, key: &'static str) -> Option<Entry<'a>> {
        let value = self.table.get(key)?;
        Some(Entry { text: self.text, key, value })
    }

    /// The value of `key`.
    ///
    /// # Errors
    ///
    /// If it is not there.
    pub(super) fn require(&self, key: &'static str, help: &str) -> Result<Entry<'a>, ConfigError> {
        self.get(key).ok_or_else(|| self.missing(key, help))
    }

    /// The string under `key`, trimmed and not empty.
    ///
    /// # Errors
    ///
    /// If it is missing or something else.
    pub(super) fn text(&self, key: &'static str, help: &str) -> Result<String, ConfigError> {
        let entry = self.require(key, help)?;
        let text = entry.string()?.trim();
        if text.is_empty() { Err(entry.error("is empty", help)) } else { Ok(text.to_owned()) }
    }

    fn missing(&self, key: &str, help: &str) -> ConfigError {
        let problem = format!("{} lacks the key `{key}`", self.name);
        ConfigError::at(self.text.file, self.line, problem, help)
    }
}

impl<'a> Entry<'a> {
    /// An error about this value.
    pub(super) fn error(&self, problem: impl fmt::Display, help: impl fmt::Display) -> ConfigError {
        let span = self.value.span();
        let quoted = self.text.quote(span.clone());
        let problem = format!("key `{}`, value {quoted}: {problem}", self.key);
        ConfigError::at(self.text.file, self.text.line(span.start), problem, help)
    }

    /// The string.
    pub(super) fn string(&self) -> Result<&'a str, ConfigError> {
        self.value.get_ref().as_str().ok_or_else(|| self.wrong_type("a string in quotes"))
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self) -> Result<bool, ConfigError> {
        self.value.get_ref().as_bool().ok_or_else(|| self.wrong_type("true or false"))
    }

    /// A number or string, parsed by `parse`, whose error says what is allowed.
    pub(super) fn parsed<T>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        let parsed = match self.value.get_ref() {
            DeValue::String(text) => parse(text),
            DeValue::Integer(number) if number.radix() == 10 => parse(number.as_str()),
            DeValue::Float(number) => parse(number.as_str()),
            _ => return Err(self.wrong_type("a number or a string")),
        };
        parsed.map_err(|allowed| self.error("not possible here", allowed))
    }

    /// One of `allowed`, by name.
    pub(super) fn one_of<T: Copy>(
        &self,
        allowed: &[T],
        name: impl Fn(T) -> &'static str,
    ) -> Result<T, ConfigError> {
        let text = self.string()?;
        allowed.iter().copied().find(|&candidate| name(candidate) == text).ok_or_else(|| {
            self.error("unknown", suggest::among(text, allowed.iter().map(|&one| name(one))))
        })
    }

    /// A number from `low` to `high`.
    pub(super) fn number(&self, low: f64, high: f64) -> Result<f64, ConfigError> {
        self.parsed(|text| {
            let number = text.replace('_', "").parse::<f64>().ok();
            number
                .filter(|number| (low..=high).contains(number))
                .ok_or_else(|| format!("allowed: a number from {low} to {high}"))
        })
    }

    /// A whole number from `low` to `high`.
    pub(super) fn integer(&self, low: u64, high: u64) -> Result<u64, ConfigError> {
        self.parsed(|text| {
            let number = text.replace('_', "").parse::<u64>().ok();
            number
                .filter(|number| (low..=high).contains(number))
                .ok_or_else(|| format!("allowed: a whole number from {low} to {high}"))
        })
    }

    /// The items of a list that is not empty; a single value is a list of one.
    pub(super) fn items(&self) -> Result<Vec<Entry<'a>>, ConfigError> {
        let Some(array) = self.value.get_ref().as_array() else { return Ok(vec![*self]) };
        if array.is_empty() {
            return Err(self.error("the list is empty", "name at least one, or leave the key out"));
        }
        Ok(array.iter().map(|value| Entry { value, ..*self }).collect())
    }

    /// The table, whose keys must be among `allowed`.
    pub(super) fn section(
        &self,
        name: &'a str,
        allowed: &[&str],
    ) -> Result<Section<'a>, ConfigError> {
        let table = self.value.get_ref().as_table().ok_or_else(|| self.wrong_type("a table"))?;
        Section::new(self.text, name, self.value.span(), table, allowed)
    }

    /// Whether this is a table.
    pub(super) fn is_table(&self) -> bool {
        self.value.get_ref().is_table()
    }

    fn wrong_type(&self, wanted: &str) -> ConfigError {
        let found = self.value.get_ref().type_str();
        self.error(format_args!("this is of type {found}"), format_args!("allowed: {wanted}"))
    }
}
