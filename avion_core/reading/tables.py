"""Parquet tables, whose size once unpacked is asked first: 200 kB can say one row 50 million times."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute
from pyarrow import parquet

from avion_core.reading.files import regular_file
from avion_core.reading.subject import MEBIBYTE, Subject

_compute: Any = pyarrow.compute  # its functions are made when it is imported: type checkers see none
_TEXT = "BYTE_ARRAY"
_UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError, OverflowError)


def read_parquet(path: Path, subject: Subject, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A table as a data frame (see `read_arrow`)."""
    return read_arrow(path, subject, columns).to_pandas()


def read_arrow(path: Path, subject: Subject, columns: Sequence[str] | None = None) -> Any:
    """A table as pyarrow has it.

    Args:
        columns: only these; None reads all.

    Raises:
        subject.error: no such file, no Parquet, a column is lacking, or it becomes too large.
    """
    regular_file(path, subject)
    try:
        with parquet.ParquetFile(path) as file:
            names = _refuse_bomb(file.metadata, subject, path)
            lacking = [name for name in columns or () if name not in file.schema_arrow.names]
        if lacking:
            raise subject.refused(f"lacks the column {lacking[0]}", value=subject.shown(path))
        # Repeated texts as they are kept, once each: how long they become is known before they are written out.
        with parquet.ParquetFile(path, read_dictionary=names) as file:
            table = file.read(None if columns is None else list(columns), use_pandas_metadata=columns is None)
        text = sum(_text_bytes(chunk) for column in table.columns for chunk in column.chunks)
        if text > subject.most_bytes:
            raise _too_large(subject, path)
        return table.cast(_plain(table.schema))
    except _UNREADABLE as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise subject.refused(f"is not a Parquet file that can be read ({said})", value=subject.shown(path)) from None


def _refuse_bomb(metadata: parquet.FileMetaData, subject: Subject, path: Path) -> list[str]:
    """The columns of text, of a file that does not become too large."""
    if metadata.num_rows > subject.most_rows:
        most = f"{subject.most_rows:,}"
        raise subject.refused(
            f"has more than {most} rows", "Divide it.", value=f"{subject.shown(path)}, {metadata.num_rows:,} rows"
        )
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    chunks = [group.column(place) for group in groups for place in range(group.num_columns)]
    values: dict[str, int] = {}
    for chunk in chunks:
        values[chunk.path_in_schema] = values.get(chunk.path_in_schema, 0) + chunk.num_values
    unpacked = sum(chunk.total_uncompressed_size for chunk in chunks)
    # Numbers take 8 bytes each, however often one is repeated in the file.
    if unpacked > subject.most_bytes or 8 * max(values.values(), default=0) > subject.most_bytes:
        raise _too_large(subject, path)
    return sorted({chunk.path_in_schema for chunk in chunks if chunk.physical_type == _TEXT})


def _text_bytes(array: pa.Array) -> int:
    """How long the texts in an array become when repeated ones are written out."""
    if pa.types.is_dictionary(array.type):
        lengths = _compute.binary_length(array.dictionary)
        return _compute.sum(_compute.cast(_compute.take(lengths, array.indices), pa.int64())).as_py() or 0
    if pa.types.is_struct(array.type):
        return sum(map(_text_bytes, array.flatten()))
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type) or pa.types.is_map(array.type):
        return _text_bytes(array.flatten()) if not pa.types.is_map(array.type) else array.nbytes
    return array.nbytes


def _plain(schema: pa.Schema) -> pa.Schema:
    """A schema whose texts are written out."""
    return pa.schema([field.with_type(_plain_type(field.type)) for field in schema], schema.metadata)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        # A column of more than 2 GiB of text needs wide offsets; pandas and to_pylist take either.
        return _plain_type(kind.value_type)
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_plain_type(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_plain_type(kind.value_type)))
    return kind


def _too_large(subject: Subject, path: Path) -> Exception:
    most = f"{subject.most_bytes / MEBIBYTE:,.0f} MiB"
    return subject.refused(f"becomes larger than {most} when it is read", "Divide it.", value=subject.shown(path))
