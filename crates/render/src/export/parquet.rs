//! Apache Parquet, by the low-level writer of the `parquet` crate: the columns need no Arrow.

use std::io;
use std::mem;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

use super::columns::cells;
use super::completeness::CompletenessFields;
use super::{Closing, Out, Sink};
use connmon_record::facts::Cell;
use connmon_record::{Connection, Run, display_safe};

/// A row group is written when it has this number of rows,
const MOST_ROWS: usize = 1 << 16;
/// or this number of bytes of text, whichever comes first: this bounds the memory.
const MOST_TEXT: usize = 16 << 20;

/// The export. Every column may be empty.
pub struct Parquet<'a> {
    file: SerializedFileWriter<Out<'a>>,
    columns: Vec<ColumnBuffer>,
    rows: usize,
    text: usize,
}

/// The cells of a column that are not written yet: for each row 1 if there is a value and 0 if not, and the values.
struct ColumnBuffer {
    levels: Vec<i16>,
    values: Values,
}

enum Values {
    Text(Vec<ByteArray>),
    /// Counts, and times in nanoseconds.
    Whole(Vec<i64>),
    Number(Vec<f64>),
    Flag(Vec<bool>),
}

impl<'a> Parquet<'a> {
    /// Begins a file.
    ///
    /// # Errors
    /// The writer's.
    pub fn new(out: Out<'a>) -> io::Result<Self> {
        let fields = cells(None).map(|(name, cell)| field(name, &cell)).collect::<Result<_>>();
        let schema = fields
            .and_then(|fields| Type::group_type_builder("connection").with_fields(fields).build())
            .map_err(error)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("connmon version ", env!("CARGO_PKG_VERSION")).into())
            .build();
        let file = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties)).map_err(error)?;
        let columns = cells(None).map(|(_, cell)| ColumnBuffer::for_cell(&cell)).collect();
        Ok(Self { file, columns, rows: 0, text: 0 })
    }

    /// Writes the rows that are waiting as a row group.
    fn flush(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        for column in &mut self.columns {
            column.write(&mut group)?;
        }
        group.close()?;
        (self.rows, self.text) = (0, 0);
        Ok(())
    }
}

impl Sink for Parquet<'_> {
    fn connection(&mut self, _: Option<&Run>, connection: &Connection) -> io::Result<()> {
        for (column, (_, cell)) in self.columns.iter_mut().zip(cells(Some(connection))) {
            self.text += column.push(cell);
        }
        self.rows += 1;
        if self.rows < MOST_ROWS && self.text < MOST_TEXT {
            return Ok(());
        }
        self.flush().map_err(error)
    }

    /// How complete the rows are is in the file's own metadata.
    fn finish(mut self: Box<Self>, closing: &Closing<'_>) -> io::Result<()> {
        self.flush().map_err(error)?;
        let completeness = serde_json::to_string(&CompletenessFields::from(closing.completeness))?;
        let geo = serde_json::to_string(closing.geo)?;
        for (key, value) in [("connmon.completeness", completeness), ("connmon.geo", geo)] {
            self.file.append_key_value_metadata(KeyValue::new(key.into(), value));
        }
        self.file.close().map(|_| ()).map_err(error)
    }
}

/// A column of the schema.
fn field(name: &str, cell: &Cell<'_>) -> Result<Arc<Type>> {
    let (physical, logical) = match cell {
        Cell::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Cell::Count(_) => (Physical::INT64, Some(LogicalType::integer(64, false))),
        Cell::Number(_) => (Physical::DOUBLE, None),
        Cell::Flag(_) => (Physical::BOOLEAN, None),
        Cell::Time(_) => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::NANOS))),
    };
    let builder = Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
    builder.with_logical_type(logical).build().map(Arc::new)
}

impl ColumnBuffer {
    /// An empty column for cells such as this one.
    fn for_cell(cell: &Cell<'_>) -> Self {
        let values = match cell {
            Cell::Text(_) => Values::Text(Vec::new()),
            Cell::Count(_) | Cell::Time(_) => Values::Whole(Vec::new()),
            Cell::Number(_) => Values::Number(Vec::new()),
            Cell::Flag(_) => Values::Flag(Vec::new()),
        };
        Self { levels: Vec::new(), values }
    }

    /// Adds a cell, and says how many bytes of text it has.
    fn push(&mut self, cell: Cell<'_>) -> usize {
        let (is_there, text) = match (&mut self.values, cell) {
            (Values::Text(values), Cell::Text(Some(text))) => {
                let safe = display_safe(&text).into_owned();
                let length = safe.len();
                values.push(safe.into_bytes().into());
                (true, length)
            }
            // Parquet stores an unsigned number as the signed number with the same bits.
            (Values::Whole(values), Cell::Count(Some(count))) => (push(values, count.cast_signed()), 0),
            (Values::Whole(values), Cell::Time(Some(time))) => (push(values, time.0), 0),
            (Values::Number(values), Cell::Number(Some(number))) => (push(values, number), 0),
            (Values::Flag(values), Cell::Flag(Some(flag))) => (push(values, flag), 0),
            _ => (false, 0),
        };
        self.levels.push(is_there.into());
        text
    }

    /// Writes what there is, and forgets it.
    fn write(&mut self, group: &mut SerializedRowGroupWriter<'_, Out<'_>>) -> Result<()> {
        let levels = mem::take(&mut self.levels);
        match &mut self.values {
            Values::Text(values) => write::<ByteArrayType>(group, &levels, values),
            Values::Whole(values) => write::<Int64Type>(group, &levels, values),
            Values::Number(values) => write::<DoubleType>(group, &levels, values),
            Values::Flag(values) => write::<BoolType>(group, &levels, values),
        }
    }
}

fn push<T>(values: &mut Vec<T>, value: T) -> bool {
    values.push(value);
    true
}

fn write<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Out<'_>>,
    levels: &[i16],
    values: &mut Vec<T::T>,
) -> Result<()> {
    let missing = || ParquetError::General("the schema has fewer columns than the rows".into());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(&mem::take(values), Some(levels), None)?;
    column.close()
}

/// An I/O error from the file underneath is passed on as it is; any other error is wrapped.
fn error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(inner) => *inner,
            Err(inner) => io::Error::other(inner),
        },
        other => io::Error::other(other),
    }
}
