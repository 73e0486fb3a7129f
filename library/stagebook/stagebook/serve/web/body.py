"""Bodies of requests: JSON, Arrow or Parquet, to rows."""

import asyncio
import io
import struct
from collections.abc import Mapping

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from ...data.privacy import personal_columns
from ...data.schema import Table
from ...project.yaml_values import suggest
from ...request.contract import Contract
from ..service import Service
from .refuse import Refused, describe_errors
from .schema import LONGEST

__all__ = ["ARROW", "JSON", "PARQUET", "content_type", "parse_rows", "read_body", "read_table_rows", "write_table_rows"]

JSON = "application/json"
DICTIONARY, ROWS = 2, 3  # kinds of messages in an Arrow stream
ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"


async def read_body(request: Request, service: Service, *kinds: str) -> bytes:
    """Return the body; refuse one that is of another kind than these, or does not arrive in time.

    Pages of other sites cannot write here: a browser asks the service before it sends JSON elsewhere.
    """
    if (kind := content_type(request)) not in kinds:
        raise Refused(415, {"message": f"Content-Type is {kind!r}; it must be {' or '.join(kinds)}"})
    try:
        async with asyncio.timeout(service.settings["seconds"]):
            return await request.body()
    except TimeoutError:
        raise Refused(408, {"message": f"the body did not arrive within {service.settings['seconds']:g} s"}) from None
    except ClientDisconnect:
        raise Refused(400, {"message": "the connection was closed before the body had arrived"}) from None


def content_type(request: Request) -> str:
    """Return the kind of a body, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def parse_rows(body: bytes, model: type[BaseModel], allowed: Mapping[str, str], table: Table) -> list[dict]:
    """Return the rows of a body, without the fields that are left out."""
    try:
        parsed = model.model_validate_json(body)
    except ValidationError as error:
        raise Refused(422, *describe_errors(error, allowed, personal_columns(table))) from None
    return parsed.model_dump(by_alias=True, exclude_unset=True)["rows"]


def read_table_rows(body: bytes, kind: str, contract: Contract, settings: Mapping) -> list[dict]:
    """Return the rows of an Arrow stream or a Parquet file, as JSON would have them."""
    import pyarrow as pa

    most, known = settings["waiting_rows"] * 20, contract.table.columns
    try:
        table = _read_arrow(body, most) if kind == ARROW else _read_parquet(body, most, settings)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError, struct.error) as error:
        raise Refused(400, {"message": f"the body cannot be read as {kind}: {error}"[:300]}) from None
    if not 0 < table.num_rows <= most:
        raise Refused(413, {"message": f"the table has {table.num_rows:,} rows; it must have 1 to {most:,}"})
    if unknown := [name for name in table.column_names if name not in known]:
        message = f"is no field; there is {', '.join(known)}.{suggest(unknown[0], known)}"
        raise Refused(422, {"field": unknown[0], "message": message})
    if len(set(table.column_names)) < table.num_columns:
        raise Refused(422, {"message": "two columns of the table have the same name"})
    frame = table.to_pandas(strings_to_categorical=True, date_as_object=False)
    for name, values in frame.items():
        frame[name] = _plain_column(name, values)
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def _plain_column(name: str, values):
    """Return a column as JSON would have it; refuse lists, bytes and texts that are too long."""
    if str(values.dtype).startswith("datetime64"):
        return values.dt.strftime("%Y-%m-%dT%H:%M:%S")
    plain = values.dtype.categories if values.dtype == "category" else values
    if plain.dtype.kind not in "biuf":
        texts = plain.dropna()
        if not texts.map(
            lambda value: isinstance(value, str | bool | int | float) and len(str(value)) <= LONGEST
        ).all():
            message = f"has values that are no text, number or date, or texts of more than {LONGEST:,} characters"
            raise Refused(422, {"field": name, "message": message})
    return values


def _read_arrow(body: bytes, most: int):
    import pyarrow as pa

    if any(_is_compressed(message) for message in pa.ipc.MessageReader.open_stream(body)):
        raise Refused(415, {"message": "compressed Arrow may unpack to any size; send it plain, or as Parquet"})
    batches, rows = [], 0
    with pa.ipc.open_stream(body) as reader:
        for batch in reader:
            batches.append(batch)
            rows += batch.num_rows
            if rows > most:
                break
        return pa.Table.from_batches(batches, reader.schema)


def _is_compressed(message) -> bool:
    """Tell whether a message of an Arrow stream has compressed buffers; pyarrow tells it only once they are unpacked.

    Slots of the tables by https://github.com/apache/arrow/blob/main/format/Message.fbs; slot n is at 4 + 2 n.
    """
    from flatbuffers import encode
    from flatbuffers.number_types import Uint8Flags
    from flatbuffers.packer import uoffset
    from flatbuffers.table import Table

    content = message.metadata.to_pybytes()
    root, header = Table(content, encode.Get(uoffset, content, 0)), Table(content, 0)
    root.Union(header, root.Offset(8))
    kind = root.Get(Uint8Flags, root.Pos + root.Offset(6))
    if kind == DICTIONARY:  # its second slot is a batch of rows
        header = Table(content, header.Indirect(header.Pos + header.Offset(6)))
    return kind in (DICTIONARY, ROWS) and header.Offset(10) > 0


def _read_parquet(body: bytes, most: int, settings: Mapping):
    """Read a Parquet file whose own figures say that it is not too large; repeated texts stay one text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(io.BytesIO(body))
    size = sum(file.metadata.row_group(place).total_byte_size for place in range(file.metadata.num_row_groups))
    if file.metadata.num_rows > most or size > 10e6 * settings["max_megabytes"]:
        raise Refused(413, {"message": f"the table has {file.metadata.num_rows:,} rows, {size / 1e6:,.0f} MB unpacked"})
    texts = [field.name for field in file.schema_arrow if pa.types.is_string(field.type)]
    return pq.read_table(io.BytesIO(body), read_dictionary=texts)


def write_table_rows(rows: list[dict]) -> bytes:
    """Return rows as an Arrow stream."""
    import pyarrow as pa

    table, sink = pa.Table.from_pylist(rows), io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()
