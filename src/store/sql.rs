//! Statements that are put together at run time.
//!
//! `sqlx`'s own builder writes `?` for placeholders where the database is chosen at run time, which
//! PostgreSQL does not understand; this one writes `$1`, `$2`, … for both.

use std::fmt::{Display, Write as _};

use sqlx::any::AnyArguments;
use sqlx::query::{QueryAs, QueryScalar};
use sqlx::{Arguments as _, AssertSqlSafe, Encode, FromRow, Type};

use crate::store::Db;

type Row = <Db as sqlx::Database>::Row;

/// A statement in the making. Texts that are pushed come from the code, values are bound.
#[derive(Default)]
pub(crate) struct QueryBuilder {
    sql: String,
    arguments: AnyArguments,
}

impl QueryBuilder {
    pub(crate) fn new(sql: &str) -> Self {
        Self { sql: sql.to_owned(), arguments: AnyArguments::default() }
    }

    pub(crate) fn push(&mut self, sql: impl Display) -> &mut Self {
        write!(self.sql, "{sql}").expect("a String takes everything");
        self
    }

    pub(crate) fn push_bind<'t, T: Encode<'t, Db> + Type<Db>>(&mut self, value: T) -> &mut Self {
        self.arguments.add(value).expect("numbers, texts and bytes encode always");
        let number = self.arguments.len();
        self.push(format_args!("${number}"))
    }

    /// A list with `separator` between its items.
    pub(crate) const fn separated(&mut self, separator: &'static str) -> Separated<'_> {
        Separated { builder: self, separator, first: true }
    }

    pub(crate) fn build_query_as<T>(self) -> QueryAs<'static, Db, T, AnyArguments>
    where
        T: for<'r> FromRow<'r, Row>,
    {
        sqlx::query_as_with(AssertSqlSafe(self.sql), self.arguments)
    }

    pub(crate) fn build_query_scalar<T>(self) -> QueryScalar<'static, Db, T, AnyArguments>
    where
        (T,): for<'r> FromRow<'r, Row>,
    {
        sqlx::query_scalar_with(AssertSqlSafe(self.sql), self.arguments)
    }
}

/// A list in the making.
pub(crate) struct Separated<'a> {
    builder: &'a mut QueryBuilder,
    separator: &'static str,
    first: bool,
}

impl Separated<'_> {
    pub(crate) fn push_bind<'t, T: Encode<'t, Db> + Type<Db>>(&mut self, value: T) -> &mut Self {
        if !self.first {
            self.builder.push(self.separator);
        }
        self.first = false;
        self.builder.push_bind(value);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered() {
        let mut sql = QueryBuilder::new("SELECT id FROM jobs WHERE kind IN (");
        let mut list = sql.separated(", ");
        list.push_bind("sweep").push_bind("publish".to_owned());
        sql.push(") AND run_at < ").push_bind(7_i64);
        assert_eq!(sql.sql, "SELECT id FROM jobs WHERE kind IN ($1, $2) AND run_at < $3");
    }
}
