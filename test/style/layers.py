#!/usr/bin/env python3
"""The dependency rule of ARCHITECTURE.md, checked on every include line.

main -> edge -> {runtime, apps} -> core -> {log.h, gate.h, store.h} -> base; verify sees ports and
base only; an adapter sees its own port, base and the one library that it wraps.
Usage: layers.py ROOT [--self-test]
"""

import pathlib
import re
import shutil
import sys
import tempfile

PORTS = {"log", "gate", "store"}
ADAPTERS = {"log/memory", "log/file", "log/kafka", "gate/local", "gate/redis", "store/sqlite",
            "store/postgres", "store/mariadb"}
# Which layers each layer may include, besides itself.
ALLOWED = {
    "base": set(),
    "log": {"base"},
    "gate": {"base"},
    "store": {"base"},
    "core": {"base", "log", "gate", "store"},
    "runtime": {"base", "log", "gate", "store", "core"},
    "apps": {"base", "gate", "store", "core"},
    "edge": {"base", "log", "gate", "store", "core", "runtime", "apps"},
    "verify": {"base", "log", "gate", "store"},
}
# Third-party and system headers that only some layers may use; everything may use fmt.
RESTRICTED = {
    r"boost/url": {"base"},
    r"boost/json": {"apps", "edge", "log/kafka", "main", "verify"},
    r"boost/(asio|beast)": {"edge", "main"},
    r"spdlog/": {"edge", "main"},
    r"toml\+\+/|CLI/": {"edge", "main"},
    r"prometheus/": {"edge", "main"},
    r"sqlite3\.h": {"store/sqlite"},
    r"librdkafka/": {"log/kafka"},
    r"hiredis/": {"gate/redis"},
    r"libpq-fe\.h|libpq/": {"store/postgres"},
    r"mysql|mariadb/|errmsg\.h|mysqld_error\.h": {"store/mariadb"},
    r"isa-l|xxhash": {"base"},
    r"(thread|condition_variable)$": {"base", "edge"},
    r"mutex$": {"base", "edge"},
}
FORBIDDEN_TEXT = {
    r"\b(sleep_for|sleep_until|usleep|nanosleep)\b": set(),
    r"\b(system_clock|steady_clock)::now": {"base"},
    r"^\s*(class|struct) \w*(Manager|Helper|Util)\b": set(),
}
# Above the ports nothing knows which adapter is below: no engine is named there.
ENGINES = re.compile(r"kafka|redis|postgres|mariadb|sqlite|mysql", re.I)
NAMES_NO_ENGINE = {"core", "runtime", "apps", "verify"}
# Of the ports these see the port itself, not what stands beside it (followers, partitioners).
PORT_HEADERS_ONLY = {
    "core": {"log/log.h", "gate/gate.h", "store/store.h"},
    "verify": {"log/log.h", "gate/gate.h", "store/store.h"},
    "apps": {"gate/gate.h", "store/store.h"},
}
# Tests and benches may see everything; what is bad style anywhere is bad there, too.
FORBIDDEN_ANYWHERE = {
    r"\b(sleep_for|sleep_until|usleep|nanosleep)\s*\(",
    r"\b(system_clock|steady_clock)::now",
    r"^\s*(class|struct|enum class|enum) \w*(Manager|Helper|Util)s?\b",
    r"^\s*namespace .*\b(helpers?|utils?)\b",
}
LINKS = re.compile(r"penstock_library\(\s*(\w+)\s+LINKS([^)]*?)(?:TEST_LINKS[^)]*)?\)")
INCLUDE = re.compile(r'^#include [<"]([^>"]+)[>"]')


def layer_of(path: str) -> str:
    """log/file for penstock/log/file/x.cc, log for penstock/log/x.h, core for penstock/core/x.h."""
    parts = path.split("/")[1:-1]
    two = "/".join(parts[:2])
    return two if two in ADAPTERS else parts[0]


def may_include(layer: str, other: str) -> bool:
    if layer == other or layer == "main":
        return True
    if layer in ADAPTERS:
        return other in {"base", layer.split("/")[0]}
    return other in ALLOWED[layer]


def problems_of(file: str, text: str) -> list[str]:
    layer = layer_of(file)
    top = layer.split("/")[0]
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{file}:{number}"
        code = re.sub(r"//.*", "", line)
        if top in NAMES_NO_ENGINE and ENGINES.search(code):
            found.append(f"{where}: {line.strip()}: {top} must not know which engine is below")
        for pattern, layers in FORBIDDEN_TEXT.items():
            if re.search(pattern, line) and top not in layers:
                found.append(f"{where}: {line.strip()} has no place in {layer}")
        include = INCLUDE.match(line)
        if not include:
            continue
        target = include.group(1)
        if target.startswith("penstock/"):
            other = layer_of(target)
            port_headers = PORT_HEADERS_ONLY.get(top)
            beside = other in PORTS and port_headers is not None
            if not may_include(layer, other):
                found.append(f"{where}: {layer} must not see {other} ({target})")
            elif beside and target.removeprefix("penstock/") not in port_headers:
                found.append(f"{where}: {layer} sees only {sorted(port_headers)} of the ports")
        for pattern, layers in RESTRICTED.items():
            if re.match(pattern, target) and top not in layers and layer not in layers:
                found.append(f"{where}: {target} is not for {layer}")
    return found


def bad_style_of(file: str, text: str) -> list[str]:
    return [
        f"{file}:{number}: {line.strip()}: wait with Wake, take time from Clock, name it for what it is"
        for number, line in enumerate(text.splitlines(), 1)
        if any(re.search(pattern, line) for pattern in FORBIDDEN_ANYWHERE)
    ]


def bad_links(root: pathlib.Path) -> list[str]:
    """Every library of ours in a LINKS row is one whose headers the folder may include."""
    layers = {}
    rows = []
    for path in sorted((root / "penstock").rglob("CMakeLists.txt")):
        file = str(path.relative_to(root))
        for name, links in LINKS.findall(path.read_text()):
            layers[name] = layer_of(file)
            rows.append((file, name, links.split()))
    return [
        f"{file}: {name} must not link {link}"
        for file, name, links in rows
        for link in links
        if link in layers and not may_include(layers[name], layers[link])
    ]


def check(root: pathlib.Path) -> list[str]:
    found = []
    files = 0
    for path in sorted((root / "penstock").rglob("*")):
        if path.suffix not in {".h", ".cc"} or path.name.endswith("_test.cc"):
            continue
        if "link" in path.parts or path.name.endswith(("_fixture.h", "faulty_files.h")):
            continue
        files += 1
        found += problems_of(str(path.relative_to(root)), path.read_text())
    found += bad_links(root)
    for folder in ("test", "bench", "examples"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in {".h", ".cc"}:
                found += bad_style_of(str(path.relative_to(root)), path.read_text())
    return found if files > 50 else [f"only {files} files found below {root}/penstock"]


def self_test(root: pathlib.Path) -> list[str]:
    """Plants a violation of each kind in a copy; each must be found."""
    planted = {
        "core/planted.h": '#include "penstock/runtime/node.h"\n',
        "verify/planted.h": '#include "penstock/core/command.h"\n',
        "log/file/planted.h": '#include "penstock/store/store.h"\n',
        "apps/planted.h": '#include "penstock/log/log.h"\n',
        "runtime/planted.h": "#include <thread>\n",
        "gate/planted.h": "#include <boost/json.hpp>\n",
        "edge/planted.h": "class PlantedManager {};\n",
        "core/planted2.h": '#include "penstock/log/partitioner.h"\n',
        "store/planted.h": '#include "penstock/gate/gate.h"\n',
        "runtime/planted2.h": '#include "penstock/gate/local/local_gate.h"\n',
        "log/memory/planted.h": '#include "penstock/log/file/file_log.h"\n',
        "base/planted.h": '#include "penstock/log/log.h"\n',
        "gate/planted2.h": "#include <sqlite3.h>\n",
        "runtime/planted3.h": "auto now = std::chrono::steady_clock::now();\n",
        "runtime/planted/CMakeLists.txt": "penstock_library(p LINKS penstock_gate_local)\n",
        "runtime/planted4.h": "constexpr auto kStore = \"postgres\";\n",
        "../test/planted.cc": "std::this_thread::sleep_for(1s);\n",
        "../bench/planted.h": "class TimeUtil {\n",
    }
    missed = []
    with tempfile.TemporaryDirectory() as scratch:
        copy = pathlib.Path(scratch)
        shutil.copytree(root / "penstock", copy / "penstock")
        (copy / "test").mkdir()
        (copy / "bench").mkdir()
        before = len(check(copy))
        for name, text in planted.items():
            file = copy / "penstock" / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
            if len(check(copy)) != before + 1:
                missed.append(f"a planted violation in {name} was not found")
            file.unlink()
    return missed


def main() -> int:
    root = pathlib.Path(sys.argv[1]).resolve()
    problems = self_test(root) if "--self-test" in sys.argv else check(root)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
