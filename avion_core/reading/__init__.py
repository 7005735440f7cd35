"""The one way in for what a file, an upload or a reply holds: read within limits, or refused in one sentence.

Whoever reads names what it is (`Subject`); every refusal then says what is wrong with it, the value, and a hint.
`files` opens regular files alone and asks their size first; `values` bounds depth, numbers, dates and text before a
parser, an array or the database meets them; `tables` asks a Parquet file how large it becomes before reading it, and
`spreadsheets` an Excel workbook.
"""

from avion_core.reading.addresses import web_address
from avion_core.reading.files import of_the_system, read_bytes, read_text, regular_file
from avion_core.reading.spreadsheets import read_sheet
from avion_core.reading.subject import MEBIBYTE, Subject
from avion_core.reading.tables import read_arrow, read_parquet
from avion_core.reading.values import (
    MOST_COUNT,
    fitted,
    is_storable,
    parse_json,
    point_in_time,
    read_json,
    refuse_mark,
    storable,
    tokenizer_mark,
    whole,
    whole_number,
)
from avion_core.reading.yamls import read_yaml

__all__ = [
    "MEBIBYTE",
    "MOST_COUNT",
    "Subject",
    "fitted",
    "is_storable",
    "of_the_system",
    "parse_json",
    "point_in_time",
    "read_arrow",
    "read_bytes",
    "read_json",
    "read_parquet",
    "read_sheet",
    "read_text",
    "read_yaml",
    "refuse_mark",
    "regular_file",
    "storable",
    "tokenizer_mark",
    "web_address",
    "whole",
    "whole_number",
]
