//! Rows read by the names of their columns.

/// Declares a struct that is read from a row, column by column; `flatten` parts read the same row.
///
/// `sqlx`'s derive does the same, but brings a second copy of the drivers into every build, compiled for the compiler.
macro_rules! record {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $(@flatten $part:ident: $part_type:ty,)*
            $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$meta])*
        $vis struct $name {
            $($part: $part_type,)*
            $($(#[$field_meta])* $field_vis $field: $type,)*
        }

        impl<'r> sqlx::FromRow<'r, <$crate::store::Db as sqlx::Database>::Row> for $name {
            fn from_row(row: &'r <$crate::store::Db as sqlx::Database>::Row) -> Result<Self, sqlx::Error> {
                Ok(Self {
                    $($part: sqlx::FromRow::from_row(row)?,)*
                    $($field: sqlx::Row::try_get(row, stringify!($field))?,)*
                })
            }
        }
    };
}

pub(crate) use record;
