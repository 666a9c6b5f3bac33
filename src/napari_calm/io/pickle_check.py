"""Looking through a pickle's instructions before any of them is followed.

The unpickler allocates what a pickle announces before it looks whether it is there, and
hashes tuples however often they hold each other. Both can be seen beforehand.
"""

import pickletools
from typing import Any

_TUPLES = ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3")


def check_pickle(data: bytes) -> None:
    """Refuse a pickle that would take far more memory or time than its size suggests.

    Raises
    ------
    ValueError
        If the instructions are damaged, name a memory slot beyond the size of the pickle, or
        build tuples that hold each other so often that hashing one would not end.
    """
    most_parts = 1000 + 10 * len(data)
    # How many parts hashing each object on the stack would visit; None is a mark.
    stack: list[int | None] = []
    memo: dict[Any, int] = {}
    for instruction, argument, _ in pickletools.genops(data):
        name = instruction.name
        if "PUT" in name or name == "MEMOIZE":
            slot = len(memo) if name == "MEMOIZE" else int(argument or 0)
            if slot > len(data):
                raise ValueError(f"memory slot {slot} in a pickle of {len(data)} bytes")
            memo[slot] = _top(stack)
            continue
        if name in ("GET", "BINGET", "LONG_BINGET"):
            if argument not in memo:
                raise ValueError(f"memory slot {argument} is empty")
            stack.append(memo[argument])
            continue
        taken = _take(stack, instruction)
        parts = 1 + sum(taken) if name in _TUPLES else 1
        if name == "DUP":
            parts = taken[0]
        if parts > most_parts:
            raise ValueError("tuples that hold each other too often")
        for made in instruction.stack_after:
            stack.append(None if made is pickletools.markobject else parts)


def _top(stack: list[int | None]) -> int:
    if not stack or stack[-1] is None:
        raise ValueError("nothing to remember")
    return stack[-1]


def _take(stack: list[int | None], instruction: pickletools.OpcodeInfo) -> list[int]:
    """Take from the stack what an instruction uses up."""
    before = list(instruction.stack_before)
    taken: list[int] = []
    takes_slice = pickletools.markobject in before
    if instruction.name == "POP" and stack and stack[-1] is None:
        takes_slice, before = True, [pickletools.markobject]
    if takes_slice:
        while stack and stack[-1] is not None:
            taken.append(_top(stack))
            stack.pop()
        if not stack:
            raise ValueError("a mark is missing")
        stack.pop()
        before = before[: before.index(pickletools.markobject)]
    for _ in before:
        taken.append(_top(stack))
        stack.pop()
    return taken
