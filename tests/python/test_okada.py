"""The example's forward model against Okada (1985) and against symmetry."""

import numpy as np
import okada
import pytest

EAST, NORTH = np.array([[-71.0, 3.2, 48.0, 110.0], [35.0, 81.0, -64.0, -7.0]])
FAULT = {
    "x": 4.0, "y": -9.0, "top": 2.0, "strike": 313.0, "dip": 57.0, "rake": 203.0,
    "length": 61.0, "width": 17.0, "slip": 2.3,
}  # fmt: skip


def displacement(**changes):
    stations = changes.pop("east", EAST), changes.pop("north", NORTH)
    fault = {name: np.atleast_1d(v) for name, v in (FAULT | changes).items()}
    return okada.displacement(*stations, **fault, up=True)


# x, y, depth of the lower edge, dip; length 3, width 2; then x, y, z of the strike-slip
# and of the dip-slip source. The paper prints four digits.
TABLE_2 = {
    "case 2": (
        (2, 3, 4, 70), (-8.689e-3, -4.298e-3, -2.747e-3),
        (-4.682e-3, -3.527e-2, -3.564e-2),
    ),
    "case 3": ((0, 0, 4, 90), (0, 5.253e-3, 0), (0, 0, 0)),
    # case 4 is the negative of this one: the same rectangle seen from its other side
    "case 4": ((0, 0, 6, 90), (0, 1.303e-3, 0), (0, 0, 0)),
    "case 4, from below": ((0, 0, 4, -90), (0, -1.303e-3, 0), (0, 0, 0)),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE_2)
def test_checklist(case):
    (x, y, depth, dip), strike_slip, dip_slip = TABLE_2[case]
    got = okada.rectangle(np.array(x), np.array(y), depth, np.radians(dip), 3, 2)
    tolerance = 5.1e-7  # of the four digits; 5e-6 where the exponent is -2
    if abs(dip) == 90:
        tolerance += 0.5 * okada.VERTICAL
    np.testing.assert_allclose(got[0], strike_slip, atol=tolerance)
    np.testing.assert_allclose(got[1], dip_slip, atol=10 * tolerance)


def point_source(x, y, depth, dip):
    """Equations (8) to (10): strike-slip and dip-slip potency 1 at (0, 0, -depth)."""
    sin, cos = np.sin(dip), np.cos(dip)
    p, q = y * cos + depth * sin, y * sin - depth * cos
    r = np.sqrt(x**2 + y**2 + depth**2)
    rd, half = r + depth, 0.5
    third = (3 * r + depth) / (r**3 * rd**3)
    second = (2 * r + depth) / (r**3 * rd**2)
    i1 = half * y * (1 / (r * rd**2) - x**2 * third)
    i2 = half * x * (1 / (r * rd**2) - y**2 * third)
    i3 = half * x / r**3 - i2
    i4 = -half * x * y * second
    i5 = half * (1 / (r * rd) - x**2 * second)
    strike = [3 * x * axis * q / r**5 + i * sin
              for axis, i in ((x, i1), (y, i2), (depth, i4))]  # fmt: skip
    dip = [3 * axis * p * q / r**5 - i * sin * cos
           for axis, i in ((x, i3), (y, i1), (depth, i5))]  # fmt: skip
    return np.array(strike) / (-2 * np.pi), np.array(dip) / (-2 * np.pi)


def test_point_source_is_the_papers():
    strike, dip = point_source(2.0, 3.0, 4.0, np.radians(70))
    np.testing.assert_allclose(strike, (-9.447e-4, -1.023e-3, -7.420e-4), atol=5.1e-7)
    np.testing.assert_allclose(dip, (-1.172e-3, -2.082e-3, -2.532e-3), atol=5.1e-7)


@pytest.mark.parametrize("dip", [35.0, 70.0, 89.0])
def test_small_rectangle_is_a_point_source(dip):
    x, y = np.array([2.0, -5.0, 30.0]), np.array([3.0, -1.0, 40.0])
    dip, size, depth = np.radians(dip), 0.02, 4.0
    from_corner = (
        x + size / 2, y + size / 2 * np.cos(dip), depth + size / 2 * np.sin(dip)
    )  # fmt: skip
    extended = okada.rectangle(*from_corner, dip, size, size)
    # the next term of the multipole series is (size / distance)^2
    for one, other in zip(extended, point_source(x, y, depth, dip), strict=True):
        scale = np.abs(other).max(axis=0)
        np.testing.assert_array_less(
            np.abs(np.array(one) / size**2 - other) / scale, 1e-4
        )


def test_two_halves_make_the_whole():
    whole, along = displacement(), np.radians(90 - FAULT["strike"])
    step = FAULT["length"] / 4 * np.array([np.cos(along), np.sin(along)])
    halves = [
        displacement(x=FAULT["x"] + s * step[0], y=FAULT["y"] + s * step[1],
                     length=FAULT["length"] / 2)
        for s in (-1, 1)
    ]  # fmt: skip
    np.testing.assert_allclose(sum(halves), whole, rtol=1e-9)
    # down dip the centre moves to the right of the strike
    dip, width = np.radians(FAULT["dip"]), FAULT["width"]
    step = width / 4 * np.cos(dip) * np.array([np.sin(along), -np.cos(along)])
    drop = width / 2 * np.sin(dip)
    halves = [
        displacement(x=FAULT["x"] + s * step[0], y=FAULT["y"] + s * step[1],
                     width=width / 2, top=FAULT["top"] + (s > 0) * drop)
        for s in (-1, 1)
    ]  # fmt: skip
    np.testing.assert_allclose(sum(halves), whole, rtol=1e-9)


def test_turning_everything_turns_the_displacement():
    angle = np.radians(37.0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    east, north = turn @ [EAST, NORTH]
    x, y = turn @ [FAULT["x"], FAULT["y"]]
    turned = displacement(east=east, north=north, x=x, y=y, strike=FAULT["strike"] - 37)
    expected = displacement()
    expected[0, :2] = turn @ expected[0, :2]
    np.testing.assert_allclose(turned, expected, rtol=1e-9)


def test_units_of_length_and_slip():
    lengths = {name: 3 * FAULT[name] for name in ("x", "y", "top", "length", "width")}
    larger = displacement(east=3 * EAST, north=3 * NORTH, **lengths)
    np.testing.assert_allclose(larger, displacement(), rtol=1e-9)
    np.testing.assert_allclose(
        displacement(slip=7 * FAULT["slip"]), 7 * displacement(), rtol=1e-12
    )
    # rake is the direction of slip: the field is its projection on two others
    c, s = np.cos(np.radians(203)), np.sin(np.radians(203))
    np.testing.assert_allclose(
        c * displacement(rake=0) + s * displacement(rake=90), displacement(), atol=1e-12
    )


def test_vertical_fault_seen_from_both_sides():
    """Either block of a vertical fault may be called the hanging wall."""
    one = displacement(dip=90, rake=30)
    other = displacement(dip=90, rake=-30, strike=FAULT["strike"] + 180)
    np.testing.assert_allclose(one, other, atol=1e-4 * np.abs(one).max())
    # and the field passes smoothly through the vertical
    below = displacement(dip=89.8, rake=30)
    above = displacement(dip=89.8, rake=-30, strike=FAULT["strike"] + 180)
    np.testing.assert_allclose((below + above) / 2, one, atol=1e-4 * np.abs(one).max())
    assert np.abs(below - above).max() > 1e-4 * np.abs(one).max()


def test_signs():
    """A north-striking fault with stations 20 km to its east and to its west."""
    sides = {"east": np.array([20.0, -20.0]), "north": np.zeros(2), "x": 0, "y": 0,
             "strike": 0, "top": 0, "length": 60}  # fmt: skip
    right_lateral = displacement(**sides, dip=90, rake=180)[0]
    assert right_lateral[1, 0] < 0 < right_lateral[1, 1]
    np.testing.assert_allclose(right_lateral[1, 0], -right_lateral[1, 1], rtol=1e-3)
    thrust = displacement(**sides | {"east": np.array([0.0, -10.0])}, dip=40, rake=90)
    assert thrust[0, 2, 0] > 0 > thrust[0, 2, 1]  # the hanging wall is in the east
    assert thrust[0, 0, 0] < 0 < thrust[0, 0, 1]  # the blocks move together


def test_special_lines_are_finite():
    """Stations on the lines where single terms of the formulas are 0/0."""
    sides = {"x": 0, "y": 0, "strike": 90, "length": 60.0, "width": 10.0, "top": 1.0}
    east = np.array([-30.0, 30.0, 0.0, 45.0, -45.0])
    for dip in (30.0, 60.0, 90.0):
        edge = 5 * np.cos(np.radians(dip))
        for north in (0.0, edge, -edge, edge + 1 / np.tan(np.radians(dip))):
            field = displacement(**sides, east=east, north=np.full(5, north), dip=dip)
            near = displacement(
                **sides, east=east + 1e-7, north=np.full(5, north + 1e-7), dip=dip
            )
            np.testing.assert_allclose(field, near, atol=2e-5)


def test_many_models_at_once():
    strikes = np.array([290.0, 313.0, 350.0])
    fault = {name: np.full(3, value) for name, value in FAULT.items()}
    together = okada.displacement(EAST, NORTH, **fault | {"strike": strikes})
    assert together.shape == (3, 2, 4)
    for field, strike in zip(together, strikes, strict=True):
        np.testing.assert_allclose(field, displacement(strike=strike)[0, :2])
