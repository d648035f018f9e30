"""Drawn, and yet always the same, histories for a Driver: writes, upkeep, snapshots, time."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.engine.support.driver import Driver, Step, clear, delete, put
from tests.engine.support.stores import value

KEYS = [b"k%03d" % number for number in range(80)]

Action = Callable[[Driver], None]


def draw_step(random: Random, keys: list[bytes]) -> Step:
    """One write: mostly a put, of a size that fits several a block, or none."""
    key = random.choice(keys)
    kind = random.random()
    if kind < 0.15:
        return delete(key)
    if kind < 0.19:
        return clear(key, key + b"0" if random.random() < 0.3 else random.choice(KEYS) + b"~")
    data = value(random.choice([0, 10, 60, 150, 150, 400, 1100]), random.randrange(50))
    return put(key, data, random.choice([0, 0, 0, 0, 0, 3, 50]))


def draw_action(random: Random, keys: list[bytes]) -> Action:
    """Mostly a commit of one to four writes; sometimes something else."""
    kind = random.random()
    if kind < 0.60:
        steps = [draw_step(random, keys) for _ in range(random.choice([1, 1, 1, 2, 4]))]
        if random.random() < 0.7:
            return lambda driver: driver.save(*steps)
        return lambda driver: _commit(driver, *steps)
    if kind < 0.66:
        later = random.choice([1, 2, 40])
        return lambda driver: _pass_time(driver, later)
    if kind < 0.76:
        return _begin
    if kind < 0.84:
        return Driver.perform_work
    if kind < 0.92:
        return Driver.finish_work
    if kind < 0.95:
        return Driver.freeze
    if kind < 0.98:
        return Driver.thaw
    return lambda driver: driver.flush(sync=True)


def _commit(driver: Driver, *steps: Step) -> None:
    driver.commit(*steps)


def _begin(driver: Driver) -> None:
    driver.begin_work()


def _pass_time(driver: Driver, milliseconds: int) -> None:
    driver.now += milliseconds
    driver.upkeep.tick()


def draw_script(seed: int, actions: int) -> list[Action]:
    """Writers stay for a while among a few neighbouring keys, so that tables do not all overlap."""
    random = Random(seed)
    script: list[Action] = []
    while len(script) < actions:
        first = random.randrange(len(KEYS))
        keys = KEYS[first : first + random.choice([2, 10, 80])]
        script += [draw_action(random, keys) for _ in range(random.choice([10, 40, 100]))]
    return script[:actions]


def play(driver: Driver, script: list[Action], *, check_every: int = 25) -> None:
    """The whole history, from opening to a clean close; what is seen is looked at now and then."""
    driver.open_again()
    for number, action in enumerate(script):
        action(driver)
        driver.check_keys([KEYS[number * 7 % len(KEYS)]])
        if number % check_every == 0:
            driver.check()
            driver.check_keys(KEYS[::13])
    for frozen in driver.frozen:
        driver.check_frozen(frozen)
    driver.keep_up()
    driver.check()
    driver.close()
