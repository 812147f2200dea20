"""Damage to a file: its bytes, or its structure, by its ending."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import yaml

from tests.fuzz.arrays import change_checkpoint, change_hdf5, change_safetensors
from tests.fuzz.structures import structure


def damaged_bytes(data: bytes, random: Random) -> bytes:
    """Flipped, cut, doubled, moved, zeroed or inserted bytes; or another encoding."""
    content = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 5))):
        at = random.randrange(len(content) + 1)
        span = slice(at, at + random.choice((1, 4, 16, 256)))
        action = random.randrange(8)
        if action <= 1 and content:
            for _ in range(random.choice((1, 3, 20))):
                content[random.randrange(len(content))] ^= 1 << random.randrange(8)
        elif action == 2:
            del content[at:]
        elif action == 3:
            content[span] = bytes(len(content[span]))
        elif action == 4:
            del content[span]
        elif action == 5:
            content[at:at] = random.randbytes(random.choice((1, 4, 64)))
        elif action == 6:
            content[at:at] = content[span] * random.choice((1, 50))
        else:
            content[span] = b"\xff" * len(content[span])
    return bytes(content)


def encoded(text: str, random: Random) -> bytes:
    plain = text.encode("utf-8", errors="surrogatepass")
    choices: list[Callable[[], bytes]] = [lambda: plain] * 12
    choices += [
        lambda: b"\xef\xbb\xbf" + plain,
        lambda: text.encode("utf-16", errors="surrogatepass"),
        lambda: text.encode("latin-1", errors="replace"),
        lambda: plain + b"\xff\xfe",
        lambda: plain.replace(b"\n", b"\r"),
    ]
    return random.choice(choices)()


def change_json(path: Path, random: Random) -> None:
    text = path.read_text(encoding="utf-8")
    if random.random() < 0.1:
        deep = random.choice((100, 3_000, 100_000))
        text = random.choice((lambda: "[" * deep, lambda: "[" * deep + "]" * deep, lambda: '{"a":' * deep + "1" + "}" * deep))()
    elif random.random() < 0.1:
        text = text.replace(random.choice((",", ":", '"', "}", "1")), random.choice((",,", "", "'", "9" * 5000, "NaN")), 3)
    else:
        text = json.dumps(structure(json.loads(text), random), ensure_ascii=random.random() < 0.8)
    path.write_bytes(encoded(text, random))


def change_lines(path: Path, random: Random) -> None:
    """JSON, one object a line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for _ in range(random.choice((1, 3))):
        at = random.randrange(len(lines))
        lines[at] = random.choice((json.dumps(structure(json.loads(lines[0]), random)), lines[at][:9]))
    path.write_bytes(encoded("\n".join(lines), random))


TAGS = ("*a", "&a [*a]", "!!python/name:os.system", "2001-99-99", "[" * 3000, "{a: " * 500, "9" * 5000, "'", "!!bool x", "<<")


def change_yaml(path: Path, random: Random) -> None:
    text = path.read_text(encoding="utf-8")
    if random.random() < 0.3:
        tag = random.choice(TAGS)
        lines = text.splitlines() or [""]
        at = random.randrange(len(lines))
        lines[at] = f"{lines[at].partition(':')[0] or 'a'}: {tag}"
        text = "\n".join(lines)
    elif random.random() < 0.1:
        text = "a0: &a0 [x, x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(9))
    else:
        try:
            text = yaml.dump(structure(yaml.safe_load(text), random), allow_unicode=random.random() < 0.5)
        except Exception:
            text = text[: random.randrange(len(text))]
    path.write_bytes(encoded(text, random))


CELLS = ("", "x", "nan", "inf", "-1", "1e400", "9" * 400, '"', "a,b", "\0", "../x", "=1", "1.5", "ä", " 1 ", "True", "0x10")


def change_csv(path: Path, random: Random) -> None:
    rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
    for _ in range(random.choice((1, 1, 3))):
        at, action = random.randrange(len(rows)) if rows else 0, random.randrange(7)
        if not rows:
            break
        column = random.randrange(len(rows[at]))
        if action <= 2:
            rows[at][column] = random.choice(CELLS)
        elif action == 3:
            del rows[at]
        elif action == 4:
            rows.insert(at, random.choice(rows))
        elif action == 5:
            rows = [row[:column] + row[column + 1 :] for row in rows]
        else:
            rows[at] = rows[at] * random.choice((2, 100))
    path.write_bytes(encoded("\n".join(",".join(row) for row in rows), random))


STRUCTURES: dict[str, Callable[[Path, Random], None]] = {
    ".json": change_json,
    ".jsonl": change_lines,
    ".yaml": change_yaml,
    ".csv": change_csv,
    ".h5": change_hdf5,
    ".safetensors": change_safetensors,
    ".pt": change_checkpoint,
    ".pth": change_checkpoint,
}


def damage(path: Path, random: Random) -> None:
    """Damage a file, most often in a way that leaves it readable by its library."""
    change = STRUCTURES.get(path.suffix)
    if change is not None and random.random() < 0.75:
        change(path, random)
    else:
        path.write_bytes(damaged_bytes(path.read_bytes(), random))
