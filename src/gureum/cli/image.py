"""``gureum image``: the images that instances and containers are made from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from gureum.cli.client import Daemon
from gureum.cli.failure import Failure
from gureum.cli.options import Base, json_option, pass_base
from gureum.cli.output import clean, grid, note, print_facts, print_json, show

FORMS = ("oci", "oci-archive", "docker-archive")
MIB = 1 << 20


@click.group(short_help="Fetch, build, show and remove images.")
def image() -> None:
    """The images that instances and containers are made from: OCI images, as Docker has them.

    IMAGE is a name, as 'web' or 'registry.example/team/app:1', or an id or the beginning of one.

    \b
    gureum image pull localhost:5000/team/app:1
    gureum image build web
    gureum image list
    """


@image.command("list")
@json_option
@pass_base
def list_(base: Base, as_json: bool) -> None:
    """List the images."""
    answer = Daemon(base.state).get("/images")
    if as_json:
        print_json(answer["images"])
        return
    table = grid("name", "id", "created", "layers", "MiB")
    for row in answer["images"]:
        for name in row["names"] or ["(none)"]:
            size = f"{row['size'] / MIB:.1f}"
            created = clean(row["created"])[:19]
            table.add_row(clean(name), row["id"], created, str(row["layers"]), size)
    show(table)
    if answer["missing"]:
        note(f"Built when first wanted: {', '.join(answer['missing'])}")


@image.command()
@click.argument("name", metavar="IMAGE")
@json_option
@pass_base
def inspect(base: Base, name: str, as_json: bool) -> None:
    """Show an image: what its containers run, its layers, how it was made, who uses it."""
    found = Daemon(base.state).get("/images/one", name=name)
    if as_json:
        print_json(found)
        return
    print_facts(_facts(found))
    click.echo()
    table = grid("layer", "MiB", "made by")
    made = [step for step in found["history"] if not step["empty"]]
    for number, layer in enumerate(found["stack"]):
        by = clean(made[number]["created_by"])[:80] if number < len(made) else ""
        table.add_row(layer["diff_id"][7:19], f"{layer['size'] / MIB:.1f}", by)
    show(table)


def _facts(found: dict[str, Any]) -> list[tuple[str, object]]:
    config = found["config"]
    check = config["healthcheck"]
    facts = [
        ("digest", found["digest"]),
        ("names", ", ".join(found["names"])),
        ("from", ", ".join(found["sources"])),
        ("created", found["created"]),
        ("platform", f"{found['os']}/{found['architecture']}"),
        ("entrypoint", " ".join(config["entrypoint"])),
        ("command", " ".join(config["cmd"])),
        ("environment", "  ".join(config["env"])),
        ("user", config["user"]),
        ("folder", config["working_dir"]),
        ("ports", " ".join(config["exposed_ports"])),
        ("volumes", " ".join(config["volumes"])),
        ("stop signal", config["stop_signal"]),
        ("health check", " ".join(check["test"]) if check else ""),
        ("used by", ", ".join(found["holders"])),
    ]
    return [(word, fact) for word, fact in facts if fact]


@image.command()
@click.argument("name", metavar="IMAGE")
@click.option("--user", metavar="NAME", help="Who to be for the registry; asks for the password.")
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead."
)
@json_option
@pass_base
def pull(base: Base, name: str, user: str | None, password_stdin: bool, as_json: bool) -> None:
    """Fetch IMAGE from its registry; layers that are there are not fetched again.

    A registry on this machine's loopback may speak plain HTTP.
    """
    password = None
    if user is not None:
        password = sys.stdin.readline().rstrip("\n") if password_stdin else _ask()
    elif password_stdin:
        raise click.UsageError("--password-stdin needs --user")
    body = {"name": name, "user": user, "password": password}
    _told(_work(base, "/images/pull", body), as_json)


def _ask() -> str:
    return str(click.prompt("Password", hide_input=True, err=True))


@image.command("import")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--name", metavar="NAME", help="What to call the image, if there is but one.")
@json_option
@pass_base
def import_(base: Base, path: Path, name: str | None, as_json: bool) -> None:
    """Bring in the images of PATH: an OCI layout, as a folder or tar file, or of 'docker save'."""
    answer = _work(base, "/images/load", {"path": str(path.absolute()), "name": name})
    if as_json:
        print_json(answer["images"])
        return
    for row in answer["images"]:
        _told(row, as_json=False)


@image.command()
@click.argument("names", nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="The file or folder."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    default="oci-archive",
    show_default=True,
    help="A folder, a tar file of it, or what 'docker load' reads.",
)
@json_option
@pass_base
def export(base: Base, names: tuple[str, ...], output: Path, form: str, as_json: bool) -> None:
    """Write images into a file that other tools read."""
    path = output.absolute()
    if form == "oci" and path.exists():
        raise Failure(f"{output} is there already")
    body = {"names": list(names), "path": str(path), "form": form}
    answer = _work(base, "/images/save", body)
    if as_json:
        print_json(answer)
    else:
        size = f"  {answer['size'] / MIB:.1f} MiB" if answer["size"] else ""
        click.echo(f"{clean(output)}{size}")


@image.command()
@click.argument("what", metavar="RECIPE")
@click.option("--name", metavar="NAME", help="What to call it; the recipe's own name if not given.")
@json_option
@pass_base
def build(base: Base, what: str, name: str | None, as_json: bool) -> None:
    """Build an image: of a RECIPE file, or one of Gureum's own by its name.

    \b
    # site.toml
    from = "web"
    [[file]]
    path = "/srv/web/index.html"
    source = "index.html"
    """
    path = Path(what)
    if path.suffix == ".toml":
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Failure(f"{what} cannot be read: {error}") from None
        folder = str(path.absolute().parent)
        body = {"recipe": text, "folder": folder, "name": name or path.stem}
        if name is None and _names_itself(text):
            del body["name"]
    else:
        body = {"name": what}
    _told(_work(base, "/images/build", body), as_json)


def _names_itself(text: str) -> bool:
    import tomllib

    try:
        return bool(tomllib.loads(text).get("name"))
    except tomllib.TOMLDecodeError:
        return False  # the daemon says what is wrong


@image.command()
@click.argument("name", metavar="IMAGE")
@click.argument("new", metavar="NAME")
@json_option
@pass_base
def tag(base: Base, name: str, new: str, as_json: bool) -> None:
    """Give IMAGE one more NAME, which another image may lose by that."""
    _told(Daemon(base.state).post("/images/tag", {"name": name, "new": new}), as_json)


@image.command()
@click.argument("names", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--force", is_flag=True, help="Remove by id also what has several names.")
@json_option
@pass_base
def rm(base: Base, names: tuple[str, ...], force: bool, as_json: bool) -> None:
    """Take a name away; with its last name, or by its id, an image goes unless it is used."""
    daemon = Daemon(base.state)
    gone = [daemon.delete("/images", name=name, force="1" if force else "0") for name in names]
    if as_json:
        print_json(gone)
        return
    for each in gone:
        for name in each["names"]:
            click.echo(f"untagged {clean(name)}")
        if each["digest"]:
            click.echo(f"removed  {each['digest'][7:19]}  {each['freed'] / MIB:.1f} MiB")


@image.command()
@click.option(
    "--all", "everything", is_flag=True, help="Those with names too, and the layers of builds."
)
@json_option
@pass_base
def prune(base: Base, everything: bool, as_json: bool) -> None:
    """Remove images that have no name and are not used, and what broken pulls left."""
    gone = Daemon(base.state).post("/images/prune", {"all": everything})
    if as_json:
        print_json(gone)
        return
    for digest in gone["digests"]:
        click.echo(f"removed  {digest[7:19]}")
    click.echo(f"{gone['freed'] / MIB:.1f} MiB freed")


# --- work ---------------------------------------------------------------------------------------
def _work(base: Base, path: str, body: dict[str, Any]) -> Any:
    """Have work done, with its steps on stderr; what it came to."""
    with Daemon(base.state).stream(path, body) as told:
        for row in told:
            if "said" in row:
                note(clean(row["said"]))
            elif "error" in row:
                raise Failure(row["error"]["message"], code=row["error"]["code"])
            elif "done" in row:
                return row["done"]
    raise Failure("the cloud ended before the work did")


def _told(row: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(row)
    else:
        names = ", ".join(map(clean, row["names"])) or "(none)"
        click.echo(f"{row['id']}  {names}  {row['size'] / MIB:.1f} MiB")
