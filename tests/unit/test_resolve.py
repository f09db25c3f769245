"""What a file means: ours is held against what the real `docker compose config` makes of the same file."""

from __future__ import annotations

import json

import pytest
import yaml
from compose_command import config, escaped, needs_compose
from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.errors import BadInput
from sutazai_ops.platform import read_platform
from sutazai_ops.platform.compose_file import ComposeDumper, read_compose_file

COMMON = """
services:
  base:
    image: "registry.example/base:${TAG:-1}"
    environment: [A=from base, "EMPTY=", PASSED]
    labels: {kept: "yes", base: "1"}
    env_file: base.env
    volumes: ["./relative:/relative:ro", "named:/named", "/absolute:/absolute"]
    ports: ["8080:80", "127.0.0.1:9090:90/udp"]
    command: [base, command]
    healthcheck: {test: [CMD, base], interval: 5s}
    cap_drop: [ALL]
    dns: 1.1.1.1
    tmpfs: /tmp
    logging: {driver: local, options: {max-size: 10m}}
    ulimits: {nofile: 1024, nproc: 5}
    deploy: {replicas: "${REPLICAS:-2}", resources: {limits: {cpus: "${CPUS:-0.5}", memory: 1gb}}}
  middle:
    extends: base
    build: ./context
    environment: {MIDDLE: "1", A: "from middle"}
    healthcheck: {test: "exec middle"}
"""

FILES = {
    "anchors": """
x-base: &base
  restart: unless-stopped
  logging: {driver: local, options: {max-size: 10m}}
services:
  one: {<<: *base, image: x, restart: always}
  two:
    <<: [*base, {init: true}]
    image: "y:${TAG:-latest}"
    depends_on: [one]
""",
    "extends": """
services:
  leaf:
    extends: {file: parts/common.yaml, service: middle}
    environment: {A: leaf, BOOL: true, NUMBER: 8080, VERSION: 1.10, BIG: 1e3, NOTHING: , OCTAL: 0o14}
    volumes: ["./own:/relative", {type: bind, source: ../up, target: /up}, {type: tmpfs, target: /t}]
    ports: ["8080:80", "81:81", "127.0.0.1:9090:90/udp", {target: 80, published: "8080"}]
    cap_drop: [NET_RAW, ALL]
    dns: [1.1.1.1, 8.8.8.8]
    ulimits: {nofile: {soft: 10, hard: 20}}
    logging: {driver: json-file}
    networks: {front: {aliases: [web]}}
    secrets: [token, {source: token, target: other}]
    configs: [{source: conf, target: /etc/conf}]
  sibling: {extends: leaf, command: "sibling $$HOME", networks: [back]}
networks: {front: , back: {internal: true}}
volumes: {named: {driver_opts: {type: none, o: bind, device: /disk}}}
secrets: {token: {file: ./secrets/token}}
configs: {conf: {file: ./conf}}
""",
    "tags": """
services:
  base:
    image: x
    ports: ["80:80"]
    environment: {A: "1", B: "2"}
    command: [a]
    volumes: ["a:/a", "b:/b"]
    deploy: {resources: {limits: {cpus: "1", memory: 1g}}}
  top:
    extends: base
    ports: !reset []
    environment: {A: !reset null, C: "3"}
    volumes: !override ["c:/c"]
    deploy: !override {replicas: 3}
volumes: {a: , b: , c: }
""",
    "dollars": """
name: shop-${STAGE:-test}
services:
  one:
    image: x
    command: ["sh", "-c", "echo $$HOME $${HOME} ${HOME:+set} ${NONE-a${NONE-b}c} ${EMPTY:-d}"]
    environment: ["PRICE=5$$", "P=${COMPOSE_PROJECT_NAME}", "FROM_FILE=${FROM_FILE}"]
    labels: {"k.${NONE}": "${NONE}", odd: "a\\nb: c"}
    expose: [80, "90"]
    healthcheck: {test: ["CMD-SHELL", "test -n \\"$$X\\""], retries: 3}
""",
}


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("TAG", raising=False)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/common.yaml").write_text(COMMON)
    (tmp_path / "parts/base.env").write_text("FROM_ENV_FILE=1\n")
    (tmp_path / ".env").write_text("FROM_FILE=file\nPASSED=passed\nTAG=7\n")

    def write(text: str, name: str = "compose.yaml"):
        (tmp_path / name).write_text(text)
        return tmp_path

    return write


def as_compose_file(platform) -> str:
    """One phase as a file, as it is: what Compose would have interpolated has been."""
    (phase,) = platform.phases
    content = {
        "name": phase.project,
        "services": {name: platform.definition(name) for name in phase.services},
        **{section: values for section, values in phase.top.items() if values},
    }
    return json.dumps(escaped(content))


@needs_compose
@pytest.mark.parametrize("name", FILES)
def test_compose_reads_the_resolved_file_as_it_reads_the_one_that_was_written(shop, tmp_path, name):
    folder = shop(FILES[name])
    resolved = tmp_path / "elsewhere" / "deeper" / "resolved.yaml"
    resolved.parent.mkdir(parents=True)
    resolved.write_text(as_compose_file(read_platform(folder)))
    written = config(folder / "compose.yaml")
    written.pop("x-base", None)
    assert config(resolved) == written


def refused(folder) -> str:
    with pytest.raises(BadInput) as told:
        read_platform(folder)
    return str(told.value)


def test_a_circle_of_extends_is_refused_and_told(shop):
    folder = shop("services:\n  a: {extends: b}\n  b: {extends: {service: c}}\n  c: {image: x, extends: a}\n")
    words = refused(folder)
    assert "a -> b -> c -> a" in words
    assert "compose.yaml:4" in words


def test_a_circle_through_two_files_is_refused(shop):
    folder = shop("services: {a: {extends: {file: parts/two.yaml, service: b}}}")
    (folder / "parts/two.yaml").write_text("services: {b: {extends: {file: ../compose.yaml, service: a}}}")
    assert "a -> b -> a" in refused(folder)


def test_a_base_that_is_not_there_is_refused_with_the_nearest(shop):
    words = refused(shop("services: {a: {extends: {file: parts/common.yaml, service: mddle}}}"))
    assert "'middle'" in words
    assert "compose.yaml:1" in words


def test_a_base_file_that_is_not_there_is_refused_by_its_path(shop):
    assert "parts/none.yaml" in refused(shop("services: {a: {extends: {file: parts/none.yaml, service: x}}}"))


def test_a_variable_that_is_asked_for_is_refused_where_it_stands(shop):
    words = refused(
        shop("services:\n  a:\n    image: x\n    environment:\n      - A=1\n      - B=${NEEDED:?say which}\n")
    )
    for part in ("compose.yaml:6", "service a", "environment", "say which"):
        assert part in words


def test_a_file_that_includes_others_is_refused(shop):
    assert "include" in refused(shop("include: [parts/common.yaml]\nservices: {a: {image: x}}"))


@pytest.mark.parametrize(
    "text",
    [
        "services: {a: {image: x, env_file: [{required: true}]}}",
        "services: {a: {image: x, build: {additional_contexts: 3}, volumes: 7}}",
        "services: {a: {image: x, extends: {file: parts/common.yaml}}}",
        "services: {a: {image: x}}\nvolumes: [a]",
        "services: {a: {image: x}}\nsecrets: {a: text}",
        "services: {a: {image: [x]}}",
        "services: {a: {extends: b, environment: {X: 1}}, b: {image: x, healthcheck: {test: x}, logging: text}}",
    ],
)
def test_nothing_that_is_written_strangely_ends_in_a_fault_of_ours(shop, text):
    try:
        read_platform(shop(text))
    except BadInput as error:
        assert "compose.yaml" in error.where  # noqa: PT017


def test_given_variables_win_over_the_environment(shop, monkeypatch):
    monkeypatch.setenv("SECRETS_FOLDER", "/theirs")
    folder = shop("services: {a: {image: x}}\nsecrets: {s: {file: '${SECRETS_FOLDER:-./secrets}/s'}}")
    top = read_platform(folder, {"SECRETS_FOLDER": "/ours"}).phases[0].top
    assert top["secrets"]["s"]["file"] == "/ours/s"


def test_what_a_template_adds_is_added_to_what_extends_it(shop):
    folder = shop(
        "services:\n  agent: {image: x, x-sutazai: {owner: us, criticality: high}}\n"
        "  one: {extends: agent, x-sutazai: {criticality: low}}\n"
    )
    one = read_platform(folder).service("one")
    assert (one.owner, one.criticality) == ("us", "low")


def test_a_file_without_a_name_gets_the_project_that_compose_would_give_it(tmp_path):
    folder = tmp_path / "My Shop_1"
    folder.mkdir()
    (folder / "compose.yaml").write_text("services: {a: {image: x}}")
    assert read_platform(folder).phases[0].project == "myshop_1"


def test_two_files_without_a_name_get_projects_of_their_own(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "core.yaml").write_text("services: {a: {image: x}}")
    (folder / "monitoring.yaml").write_text("services: {b: {image: x}}")
    (folder / "named.yaml").write_text("name: other\nservices: {c: {image: x}}")
    assert [phase.project for phase in read_platform(folder).phases] == ["shop-core", "shop-monitoring", "other"]


PROFILES = "services: {a: {image: x}, b: {image: x, profiles: [debug, gpu]}, c: {image: x, profiles: other}}"


@pytest.mark.parametrize(("active", "names"), [("", ["a"]), ("gpu,x", ["a", "b"]), ("*", ["a", "b", "c"])])
def test_only_services_of_active_profiles_are_in_the_platform(shop, monkeypatch, active, names):
    monkeypatch.setenv("COMPOSE_PROFILES", active)
    platform = read_platform(shop(PROFILES.replace("other", "[other]")))
    assert list(platform.services) == names
    assert all("profiles" not in service.compose for service in platform)


def test_to_depend_on_a_service_of_a_profile_that_is_not_active_is_refused_unless_it_need_not_be_there(shop):
    text = "services: {a: {image: x, depends_on: {b: HOW}}, b: {image: x, profiles: [debug]}}"
    words = refused(shop(text.replace("HOW", "{condition: service_started}")))
    assert "COMPOSE_PROFILES" in words
    platform = read_platform(shop(text.replace("HOW", "{condition: service_started, required: false}")))
    assert platform.service("a").depends_on == ()


plain = st.from_regex(r"[-+]?[0-9.]{1,4}([eExo][-+]?[0-9a-f]{1,3})?|[a-zA-Z~=<!&*]{1,5}", fullmatch=True)


@needs_compose
def test_compose_reads_a_text_that_looks_like_something_else_as_the_text_that_it_is(tmp_path):
    texts = [
        "1e3",
        "08",
        "0o14",
        "on",
        "22:22",
        "1_000",
        "2026-01-01",
        "~",
        "null",
        ".5",
        "0x1F",
        "=",
        "+1e5",
        "1.",
        "a\nb",
    ]
    environment = {f"V{number}": text for number, text in enumerate(texts)}
    content = {"name": "p", "services": {"one": {"image": "x", "environment": environment}}}
    (tmp_path / "compose.yaml").write_text(yaml.dump(content, Dumper=ComposeDumper))
    assert config(tmp_path / "compose.yaml")["services"]["one"]["environment"] == environment


@given(st.lists(plain | st.text(max_size=6) | st.text("ab \n\t#:-\r\x85\u2028", max_size=12)))
def test_what_is_written_is_read_as_it_was(tmp_path_factory, texts):
    file = tmp_path_factory.getbasetemp() / "written.yaml"
    file.write_text(yaml.dump({"texts": texts}, Dumper=ComposeDumper, allow_unicode=True), encoding="utf-8")
    assert read_compose_file(file).content == {"texts": texts}
