"""`make audit`: the licences of what the wheel needs, and the vulnerabilities that are known of it."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
OURSELVES = "airflow-provider-smspartner"


class UnreachableError(Exception):
    """The database of vulnerabilities did not answer: nothing was audited."""


@dataclass(frozen=True)
class Package:
    """A package of the environment, and what it says of its licence."""

    name: str
    version: str
    licence: str


def installed(python: Path) -> list[Package]:
    """
    Return what is installed beside the provider.

    :param python: the interpreter of the environment.
    """
    done = subprocess.run(
        [sys.executable, "-m", "piplicenses", "--python", python, "--from", "mixed", "--format", "json"],
        check=True,
        capture_output=True,
        text=True,
    )
    packages = [Package(each["Name"], each["Version"], each["License"]) for each in json.loads(done.stdout)]
    return [each for each in packages if each.name != OURSELVES]


def is_allowed(licence: str, allowed: Iterable[str]) -> bool:
    """
    Whether a licence asks for no more than those that are allowed.

    Of several that apply together all must be allowed, of a choice one. What mixes the two, or is no licence at all, is
    not allowed.

    :param licence: an SPDX expression, or classifiers with semicolons between them.
    """
    choice, together = licence.split(" OR "), licence.replace(";", " AND ").split(" AND ")
    if len(choice) > 1:
        return len(together) == 1 and any(each.strip() in allowed for each in choice)
    return all(each.strip() in allowed for each in together)


def licence_faults(packages: Iterable[Package], rules: Mapping[str, Any]) -> list[str]:
    """
    Return what is wrong with the licences, nothing if all may be used.

    :param packages: what is installed.
    :param rules: the content of constraints/licences.toml.
    """
    exceptions = dict(rules["exceptions"])
    faults = []
    for package in packages:
        exception = exceptions.pop(package.name, None)
        if is_allowed(package.licence, rules["allowed"]):
            if exception:
                faults.append(f"{package.name} needs no exception any longer: it is {package.licence}")
        elif exception is None:
            faults.append(f"{package.name} {package.version} is {package.licence}, which is not allowed")
        elif exception["licence"] != package.licence:
            faults.append(
                f"{package.name} {package.version} is {package.licence}, not {exception['licence']} any longer"
            )
    return faults + [f"{name} is not installed, and needs no exception" for name in exceptions]


def vulnerabilities(packages: Iterable[Package], database: str | None = None) -> list[str]:
    """
    Return what is known of each version, nothing if nothing is.

    :param packages: what is installed.
    :param database: where OSV's API answers, if not at its own address.
    :raises UnreachableError: it does not answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder) / "pins.txt"
        pins.write_text("".join(f"{each.name}=={each.version}\n" for each in packages))
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pip_audit", "--progress-spinner", "off", "--format", "json"),
                # It is all resolved already.
                *("--disable-pip", "--no-deps", "--requirement", pins),
                *("--vulnerability-service", "osv", *(["--osv-url", database] if database else [])),
            ],
            check=False,
            capture_output=True,
            text=True,
        )
    try:
        audited = json.loads(done.stdout)["dependencies"]
    except ValueError:
        # Without an answer it prints no report, but an error, or a traceback whose last line is one.
        *_, last = done.stderr.strip().splitlines() or ["pip-audit said nothing"]
        raise UnreachableError(last) from None
    return [
        f"{each['name']} {each['version']}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'no version'}"
        for each in audited
        for found in each.get("vulns", [])
    ] + [
        f"{each['name']} was not audited: {each['skip_reason']}" for each in audited if "skip_reason" in each
    ]


def table(packages: Iterable[Package]) -> str:
    """Return the licences, each with the packages that have it."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    for package in packages:
        names[package.licence].append(package.name)
    lines = [
        f"{len(those):4}  {licence}: {', '.join(sorted(those, key=str.lower))}"
        for licence, those in sorted(names.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    return "\n".join(lines)


def main() -> None:
    """Print both, and exit with 1 if a licence is not allowed, or a vulnerability is known or can't be asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", type=Path, help="the interpreter of the environment to audit")
    parser.add_argument("--database", help="where OSV's API answers, if not at its own address")
    arguments = parser.parse_args()
    packages = installed(arguments.python)
    rules = tomllib.loads((ROOT / "constraints" / "licences.toml").read_text(encoding="utf-8"))
    print(f"Licences of the {len(packages)} packages beside {OURSELVES}:\n\n{table(packages)}\n")
    for name, exception in rules["exceptions"].items():
        print(f"      {name} all the same: {exception['reason']}")
    failed = []
    if faults := licence_faults(packages, rules):
        failed.append("licences")
    print(
        "".join(f"\nNOT OK: {fault}" for fault in faults)
        or "\nok: every licence is allowed, or has its exception"
    )
    try:
        known = vulnerabilities(packages, arguments.database)
    except UnreachableError as error:
        failed.append("vulnerabilities")
        print(
            "\nNOT AUDITED: the database of vulnerabilities (OSV) did not answer, so nothing is known of any package.\n"
            f"This is what happened:\n{error}"
        )
    else:
        failed += ["vulnerabilities"] if known else []
        print("".join(f"\nNOT OK: {each}" for each in known) or "\nok: no vulnerability is known")
    if failed:
        sys.exit(f"\nmake audit failed: {' and '.join(failed)}")


if __name__ == "__main__":
    main()
