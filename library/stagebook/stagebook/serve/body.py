"""Bodies of requests: JSON, Arrow or Parquet, to rows."""

import asyncio
import io

from fastapi import Request
from pydantic import BaseModel, ValidationError

from .refuse import Refused, describe_errors
from .service import Service

__all__ = ["ARROW", "PARQUET", "parse_rows", "read_body", "read_table_rows", "write_table_rows"]

ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"


async def read_body(request: Request, service: Service) -> bytes:
    """Return the body; refuse one that does not arrive in time."""
    try:
        async with asyncio.timeout(service.settings["seconds"]):
            return await request.body()
    except TimeoutError:
        raise Refused(408, {"message": f"the body did not arrive within {service.settings['seconds']:g} s"}) from None


def parse_rows(body: bytes, model: type[BaseModel]) -> list[dict]:
    """Return the rows of a body, without the fields that are left out."""
    try:
        parsed = model.model_validate_json(body)
    except ValidationError as error:
        raise Refused(422, *describe_errors(error, model)) from None
    return [row.model_dump(by_alias=True, exclude_unset=True) for row in parsed.rows]


def read_table_rows(body: bytes, kind: str, service: Service) -> list[dict]:
    """Return the rows of an Arrow stream or a Parquet file, as JSON would have them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if kind not in (ARROW, PARQUET):
        raise Refused(415, {"message": f"Content-Type is {kind!r}; it must be {ARROW} or {PARQUET}"})
    try:
        table = pa.ipc.open_stream(body).read_all() if kind == ARROW else pq.read_table(io.BytesIO(body))
    except (pa.ArrowException, OSError) as error:
        raise Refused(400, {"message": f"the body cannot be read as {kind}: {error}"[:300]}) from None
    most = service.settings["waiting_rows"] * 20
    if not 0 < table.num_rows <= most:
        raise Refused(413, {"message": f"the table has {table.num_rows:,} rows; it must have 1 to {most:,}"})
    known = service.current.contract.table.columns
    if unknown := [name for name in table.column_names if name not in known]:
        raise Refused(422, {"field": unknown[0], "message": f"is no field; there is {', '.join(known)}"})
    frame = table.to_pandas()
    for name, values in frame.items():
        if str(values.dtype).startswith("datetime64"):
            frame[name] = values.dt.strftime("%Y-%m-%dT%H:%M:%S")
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def write_table_rows(rows: list[dict]) -> bytes:
    """Return rows as an Arrow stream."""
    import pyarrow as pa

    table, sink = pa.Table.from_pylist(rows), io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()
