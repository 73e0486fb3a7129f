"""Write the JSON schemas by which editors complete and check a project's YAML files: library/stagebook/stagebook/schemas."""

import json
import sys
from pathlib import Path

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from stagebook.data.schema import Schema
from stagebook.deliver.environments import Environments
from stagebook.evaluate.inspection.behaviour_file import Behaviour
from stagebook.gate.requirements import Requirements
from stagebook.monitor.settings import Monitoring

FOLDER = Path(__file__).resolve().parents[1] / "library" / "stagebook" / "stagebook" / "schemas"
DRAFT = "http://json-schema.org/draft-07/schema#"  # the newest that yaml-language-server knows in full
MODELS = {
    "requirements.json": ("docs/requirements.yaml", Requirements),
    "monitoring.json": ("docs/monitoring.yaml", Monitoring),
    "behaviour.json": ("docs/behaviour.yaml", Behaviour),
    "schema.json": ("data/schema.yaml", Schema),
    "environments.json": ("docs/environments.yaml", Environments),
}


class Plain(GenerateJsonSchema):
    """Without a title per key, which repeats its name, and without null: a key that is not needed is left out."""

    def field_title_should_be_set(self, schema: dict) -> bool:
        """Give no title."""
        return False

    def nullable_schema(self, schema: dict) -> dict:
        """Return the schema of what is not null."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: dict) -> dict:
        """Leave out defaults that are empty."""
        found = super().default_schema(schema)
        return {key: value for key, value in found.items() if key != "default" or value not in (None, "")}


def write_schemas(folder: Path) -> None:
    """Write the JSON schema of each model; the title is the file that it describes."""
    folder.mkdir(exist_ok=True)
    for name, (title, model) in MODELS.items():
        schema = TypeAdapter(model).json_schema(schema_generator=Plain)
        text = json.dumps({"$schema": DRAFT, **schema, "title": title}, indent=2, ensure_ascii=False)
        (folder / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
