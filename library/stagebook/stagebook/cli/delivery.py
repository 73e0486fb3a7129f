"""Commands that deliver the champion: to environments, and as a wheel."""

from ..project.errors import StepError
from ..project.root import find_root
from .command import argument, command
from .models import _registry
from .telling import tell

GROUP = "Delivery"


@command(
    GROUP,
    argument("--to", default="", help="an environment of docs/environments.yaml"),
    argument("--why", default="", help="the reason, kept in the history; a rollback needs one"),
    argument("--approved-by", default="", help="who agreed, where `approvers` are named"),
    argument("--rollback", action="store_true", help="go back to what ran there before"),
    argument("--stop", action="store_true", help="end the service of an environment on this machine"),
)
def deploy(to: str, why: str, approved_by: str, rollback: bool, stop: bool) -> None:
    """Put the champion into an environment, test it there, and record it.

    What ran there stays if anything fails. With --rollback and no --to, the last environment goes back: that which needs
    another and which none needs, usually production.
    """
    from ..deliver import deploy as delivery

    root = find_root()
    if stop:
        print(delivery.stop_service(root, to))
        return
    with _registry() as name:
        if rollback:
            said = delivery.roll_back(root, name, to, why)
            tell(f"Rollback of {name}", said, why, event="rollback", model=name)
        elif to:
            said = delivery.deploy(root, name, to, why, approved_by)
            tell(f"Deployed {name} to {to}", said, why, event="deployment", model=name, environment=to)
        else:
            raise StepError("which environment? `stagebook deploy --to staging`; `stagebook environments` lists them.")
    print(said)


@command(GROUP)
def environments() -> None:
    """List the environments, what is deployed in each, and whether it runs."""
    from ..deliver.deploy import show_environments

    with _registry() as name:
        print(show_environments(find_root(), name))


@command(
    GROUP,
    argument("--code", action="store_true", help="the wheels of the package and of the library instead"),
    argument("--if-any", action="store_true", help="no error if there is no champion yet"),
    argument("--function", action="store_true", help="also unpack it with what it needs for a serverless function"),
    argument("--python", default="", help="Python of the function, such as 3.13"),
    argument("--platform", default="", help="platform of the function, such as x86_64-manylinux_2_28"),
)
def wheel(code: bool, if_any: bool, function: bool, python: str, platform: str) -> None:
    """Build a wheel with the champion inside into dist/; it needs onnxruntime and numpy only."""
    root = find_root()
    if code:
        from ..scaffold.environment import build_wheels

        build_wheels(root)
        return
    from ..deliver.champion import open_champion
    from ..deliver.wheel import build_wheel
    from ..project.errors import RegistryError

    with _registry() as name:
        try:
            champion = open_champion(root, name)
        except RegistryError as error:
            if not if_any:
                raise
            print(f"No wheel of a model: {error}")
            return
        file = build_wheel(root, champion, root / "dist")
    module = file.name.partition("-")[0]
    print(f"{file.relative_to(root)}: `from {module} import predict`; `python -m {module}` checks it.")
    if others := sorted(one.name for one in file.parent.glob(f"{module}-*.whl") if one != file):
        print(f"dist/ also has {', '.join(others)}: install by file name, or delete them.")
    if function:
        from ..deliver.function import build_function

        folder, size = build_function(root, file, python, platform)
        print(f"{folder.relative_to(root)}: {size / 1e6:.0f} MB unpacked; handler {module}.function.handler")
