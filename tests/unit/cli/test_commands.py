"""The commands as a user calls them: exit codes, errors of a line or two, the same bytes twice."""

import gzip
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from clusteraudit.model import build
from clusteraudit.report.shapes import ScanShape
from clusteraudit.rules.catalogue import catalogue
from clusteraudit.sources.files import UnreadableError, gather
from support.cli import ROOT, Done, call, spawn

SNAPSHOT = ROOT / "dev/demo/cluster.jsonl"


def scanned(*arguments: str | Path, stdin: bytes = b"") -> ScanShape:
    done = call("scan", *arguments, "-o", "json", stdin=stdin)
    assert done.returncode == 0, done.stderr
    return ScanShape.model_validate_json(done.stdout)


def error_of(done: Done) -> str:
    text = done.stderr.decode()
    assert "Traceback" not in text
    assert 1 <= len(text.strip().splitlines()) <= 2, text
    assert done.stdout == b""
    return text


BAD = {
    "empty.json": b"",
    "blank.yaml": b"\n\n",
    "binary.yaml": bytes(range(256)) * 40,
    "noise.json": os.urandom(4096),
    "cut.json": b'{"apiVersion": "v1", "kind": "Pod", "metadata": {"na',
    "cut.jsonl": b'{"apiVersion": "v1", "kind"',
    "cut.yaml": b"apiVersion: v1\nkind: [Pod\n",
    "number.json": b"[1, 2, 3]",
    "text.yaml": b"just a sentence",
    "deep.json": b"[" * 100_000 + b"]" * 100_000,
    "deep.yaml": b"[" * 100_000 + b"]" * 100_000,
    "blocks.yaml": b"- " * 50_000 + b"a",
    "long.json": b'{"kind": "List", "a": "' + b"a" * 100_000_000,
    "tail.yaml.gz": gzip.compress(b"kind: Pod")[:-9],
    "latin.yaml": "näme: x".encode("latin-1"),
    "bombs.yaml": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(
        b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9)
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_is_told_in_a_line(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(BAD[name])

    done = call("scan", "-f", file)

    assert done.returncode == 2
    assert name in error_of(done)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = call("scan", "-f", tmp_path / "gone.yaml")
    assert done.returncode == 2
    assert "No such file" in error_of(done)


def test_a_folder_that_may_not_be_entered(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_dir", refuse)
    with pytest.raises(UnreadableError, match="closed cannot be read: Permission denied"):
        gather(["closed"], lambda *_: None)


def test_an_empty_folder(tmp_path: Path) -> None:
    done = call("scan", "-f", tmp_path)
    assert done.returncode == 2
    assert "holds no file" in error_of(done)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rules", "XYZ999"], "there is no rule or loop 'XYZ999'"),
        (["--now", "yesterday"], "--now 'yesterday' is not a time"),
        (["--fail-on", "awful"], "--fail-on 'awful'"),
        (["--complete-kinds", "Pods"], "'Pods' is not an audited kind"),
        (["--settings", "gone.yaml"], "gone.yaml cannot be read"),
    ],
)
def test_wrong_options(arguments: list[str], said: str) -> None:
    done = call("scan", "-f", SNAPSHOT, *arguments)
    assert done.returncode == 2
    assert said in error_of(done)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["scan", "--nope"], "No such option: --nope"),
        (["scan", "--timeout", "0"], "greater than or equal to 1"),
        (["scna"], "Did you mean 'scan'?"),
    ],
)
def test_what_there_is_not(arguments: list[str], said: str) -> None:
    done = call(*arguments)
    text = error_of(done)
    assert done.returncode == 2
    assert said in text
    assert "fault of cluster-audit" not in text


def test_settings_that_are_out_of_bounds(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("rules: [{code: CMP102, settings: {forSeconds: -5}}]")
    done = call("scan", "-f", SNAPSHOT, "--settings", file)
    assert done.returncode == 2
    assert "spec.rules[CMP102].settings.forSeconds" in error_of(done)


KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "a",
    "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
    "clusters": [{"name": "a", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "a", "user": {"token": "x"}}],
}


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        ("not: [a kubeconfig", [], "not a kubeconfig"),
        ("", [], "config"),
        (yaml.dump(KUBECONFIG), ["--context", "b"], "b"),
        (yaml.dump(KUBECONFIG), [], "cannot be reached"),
    ],
)
def test_no_way_to_the_cluster(tmp_path: Path, text: str, arguments: list[str], said: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    done = call("scan", "--kubeconfig", file, *arguments)
    assert done.returncode == 3
    assert said in error_of(done)


def test_no_kubeconfig_at_all(tmp_path: Path) -> None:
    done = call("scan", env={"KUBECONFIG": str(tmp_path / "gone"), "HOME": str(tmp_path)})
    assert done.returncode == 3
    assert "-f" in error_of(done)


def test_the_bundled_snapshot_twice_is_the_same_bytes() -> None:
    once = call("scan", "-f", SNAPSHOT, "-o", "json")
    assert once.stdout == call("scan", "-f", SNAPSHOT, "-o", "json").stdout
    assert once.returncode == 0
    names = {one.name for one in ScanShape.model_validate_json(once.stdout).findings}
    assert {"fragmented-capacity", "eviction-risk", "egress-cuts-dns"} <= names


def test_standard_input_and_gzip_say_the_same(tmp_path: Path) -> None:
    packed = tmp_path / "cluster.jsonl.gz"
    packed.write_bytes(gzip.compress(SNAPSHOT.read_bytes()))
    assert scanned("-f", "-", stdin=SNAPSHOT.read_bytes()) == scanned("-f", packed)


def test_every_format_holds_the_same(tmp_path: Path) -> None:
    objects = [build.node("a", cordoned=90_000), build.namespace("shop")]
    forms = {
        "list.json": json.dumps({"kind": "List", "apiVersion": "v1", "items": objects}),
        "docs.yaml": "---\n".join(yaml.dump(one) for one in objects),
        "lines.jsonl": "\n".join(json.dumps(one) for one in objects),
    }
    found = []
    for name, text in forms.items():
        (tmp_path / name).write_text(text)
        found.append(scanned("-f", tmp_path / name, "--complete", "--now", build.ago(0)).findings)
    assert found[0]
    assert found[0] == found[1] == found[2]


def test_a_list_of_a_kind_need_not_repeat_it(tmp_path: Path) -> None:
    node = {k: v for k, v in build.node("a").items() if k not in {"kind", "apiVersion"}}
    file = tmp_path / "nodes.json"
    file.write_text(json.dumps({"kind": "NodeList", "apiVersion": "v1", "items": [node]}))
    assert scanned("-f", file).inputs.kinds == {"Node": 1}


def test_a_bad_object_is_named_and_stops_nothing(tmp_path: Path) -> None:
    bad = build.pod("bad", cpu="1K")
    worse = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "worse"}, "spec": "none"}
    anonymous: dict[str, object] = {"apiVersion": "v1", "kind": "Pod", "metadata": {}}
    other = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x"}}
    file = tmp_path / "all.yaml"
    objects = [build.node("a"), bad, worse, anonymous, other]
    file.write_text("---\n".join(yaml.dump(one) for one in objects))

    inputs = scanned("-f", file).inputs

    assert inputs.kinds == {"Node": 1}
    assert inputs.ignored == {"Thing": 1}
    reasons = {(one.object, one.reason) for one in inputs.skipped}
    assert reasons == {
        ("Pod shop/bad", "InvalidQuantity"),
        ("Pod default/worse", "InvalidObject"),
        ("Pod default/", "NoName"),
    }


def test_the_higher_version_of_an_object_wins(tmp_path: Path) -> None:
    old, new = build.node("a", cordoned=90_000), build.node("a")
    old["metadata"] = {"name": "a", "resourceVersion": "7"}
    new["metadata"] = {"name": "a", "resourceVersion": "12"}
    file = tmp_path / "n.yaml"
    file.write_text("---\n".join(yaml.dump(one) for one in (new, old)))
    report = scanned("-f", file, "--complete")
    assert report.findings == []
    assert report.inputs.duplicates == 1


def test_manifests_without_pods_are_audited_through_those_they_would_make(tmp_path: Path) -> None:
    file = tmp_path / "app.yaml"
    db = build.deployment("db", replicas=3, cpu="1", memory="1Gi")
    objects = [db, build.budget("db", minAvailable="100%")]
    file.write_text("---\n".join(yaml.dump(one) for one in objects))
    report = scanned("-f", file)
    assert [one.name for one in report.findings] == ["budget-blocks-drain"]
    assert "none of its 3 pods" in report.findings[0].message
    assert {one.outcome for one in report.rules} <= {"found", "unknown"}


def test_exit_codes() -> None:
    assert call("scan", "-f", SNAPSHOT, "--fail-on", "critical").returncode == 1
    assert call("scan", "-f", SNAPSHOT, "--rules", "PLT102", "--fail-on", "high").returncode == 0
    manifests = yaml.dump(build.deployment("db")).encode()
    assert call("scan", "-f", "-", "--require-complete", stdin=manifests).returncode == 4


def test_filters_limit_what_is_shown_not_what_is_known() -> None:
    every = scanned("-f", SNAPSHOT)
    one = scanned("-f", SNAPSHOT, "--namespace", "pod-pending")
    low = scanned("-f", SNAPSHOT, "--min-severity", "critical")
    storage = scanned("-f", SNAPSHOT, "--rules", "storage")
    less = scanned("-f", SNAPSHOT, "--skip", "storage,CMP102")

    assert {f.object.namespace for f in one.findings} == {"pod-pending"}
    assert one.inputs == every.inputs
    assert {f.severity for f in low.findings} == {"critical"}
    of_storage = {rule.code for rule in catalogue() if rule.loop == "storage"}
    assert {r.rule for r in storage.rules} == of_storage
    gone = {r.rule for r in every.rules} - {r.rule for r in less.rules}
    assert gone == {*of_storage, "CMP102"}


def test_verbose_says_what_was_read() -> None:
    told = call("scan", "-f", SNAPSHOT, "-v").stderr.decode().splitlines()
    pods = sum('"kind":"Pod"' in line for line in SNAPSHOT.read_text().splitlines())
    assert f"Pod: {pods} (complete)" in told


def test_the_table_reads_from_cause_to_effect() -> None:
    text = call("scan", "-f", SNAPSHOT).stdout.decode()
    lines = text.splitlines()

    assert not [line for line in lines if line != line.rstrip()]
    assert max(map(len, lines)) <= 100
    cause = next(i for i, line in enumerate(lines) if "CMP101" in line)
    effect = next(i for i, line in enumerate(lines) if "causes  HIGH  CMP102" in line)
    assert cause < effect
    assert "score" in text


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (("scan", "-f", SNAPSHOT), b""),
        (("scan", "-f", SNAPSHOT, "-o", "yaml"), b""),
        (("scan", "-f", "-"), b'{"kind":'),
        (("scan", "--nothing"), b""),
        (("explain", "-f", SNAPSHOT, "shop/nobody"), b""),
        (("rules", "CMP101"), b""),
        (("version",), b""),
    ],
)
def test_a_process_of_its_own_says_the_same(
    arguments: tuple[str | Path, ...], stdin: bytes
) -> None:
    here, own = call(*arguments, stdin=stdin), spawn(*arguments, stdin=stdin)
    assert (here.returncode, here.stderr, here.stdout) == (own.returncode, own.stderr, own.stdout)


def test_a_reader_that_leaves_is_no_fault() -> None:
    run = f"{sys.executable} -m clusteraudit scan -f {SNAPSHOT} -o json | head -c 10"
    env = {**os.environ, "PYTHONPATH": str(ROOT / "operator")}
    done = subprocess.run(["/bin/sh", "-c", run], capture_output=True, env=env, check=True)
    assert done.stderr == b""


def test_rules_crd_and_version() -> None:
    done = call("rules")
    listed = done.stdout.decode()
    assert "docs/concepts.md" in done.stderr.decode()
    assert "CMP101" in listed
    assert "What to do" in call("rules", "cmp101").stdout.decode()
    assert call("rules", "nope").returncode == 2
    crd = yaml.safe_load(io.BytesIO(call("crd").stdout))
    assert crd["spec"]["names"]["shortNames"] == ["car"]
    assert call("version").returncode == 0


def test_the_schema_in_the_docs_is_that_of_the_output() -> None:
    schema = json.loads((ROOT / "docs/schema/scan.json").read_text())
    report = json.loads(call("scan", "-f", SNAPSHOT, "-o", "json").stdout)
    assert set(schema["properties"]) == set(report)
