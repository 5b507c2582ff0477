"""Surface displacement of a rectangular fault in an elastic half-space.

Equation numbers are those of Okada (1985), Surface deformation due to shear and
tensile faults in a half-space, BSSA 75:1135. All models meet all stations at once:
parameters of shape (n_models, 1) and stations of shape (n_stations,) broadcast.
"""

import numpy as np

POISSON = 0.25
# At dip 90 degrees the general formulas are 0/0. This far from it (radians) both the
# error of the angle and that of rounding, which grows as 1/cos(dip)^2, are about 1e-3
# of the displacement or, mostly, much less.
VERTICAL = 1e-5


def displacement(
    east, north, *, x, y, top, strike, dip, rake, length, width, slip, up=False
):
    """Displacement at the surface by uniform slip on a rectangle, by Okada (1985).

    Parameters
    ----------
    east, north : (n_stations,) array
        Stations, km.
    x, y : (n_models,) array
        East and north of the centre of the rectangle, km.
    top : (n_models,) array
        Depth of the upper edge, km.
    strike, dip, rake : (n_models,) array
        In degrees, after Aki and Richards: the fault dips to the right of its strike,
        rake 0 is left-lateral, 90 a thrust, 180 right-lateral, 270 a normal fault.
    length, width : (n_models,) array
        Along strike and down dip, km.
    slip : (n_models,) array
        In the unit that the displacement shall have.
    up : bool
        Give the vertical as well.

    Returns
    -------
    (n_models, n_components, n_stations) array
        East, north (and up).
    """
    x, y, top, strike, dip, rake, length, width, slip = (
        np.atleast_1d(value)[:, None].astype(float)
        for value in (x, y, top, strike, dip, rake, length, width, slip)
    )
    along, dip, rake = np.radians(90 - strike), np.radians(dip), np.radians(rake)
    # Okada's axes (figure 1): x along strike, y to its left, from below the lower edge.
    local_x = (east - x) * np.cos(along) + (north - y) * np.sin(along) + length / 2
    local_y = (north - y) * np.cos(along) - (east - x) * np.sin(along)
    local_y = local_y + width / 2 * np.cos(dip)
    strike_slip, dip_slip = rectangle(
        local_x, local_y, top + width * np.sin(dip), dip, length, width
    )
    u_x, u_y, u_z = (
        slip * (np.cos(rake) * s + np.sin(rake) * d)
        for s, d in zip(strike_slip, dip_slip, strict=True)
    )
    u_east = u_x * np.cos(along) - u_y * np.sin(along)
    u_north = u_x * np.sin(along) + u_y * np.cos(along)
    return np.stack([u_east, u_north, u_z] if up else [u_east, u_north], axis=1)


def rectangle(x, y, depth, dip, length, width):
    """Displacement in Okada's own coordinates for unit strike-slip and unit dip-slip.

    Parameters
    ----------
    x, y : array
        Position from the point above the near end of the lower edge, along strike and
        to the left of it.
    depth : array
        Depth of the lower edge, in the unit of x and y.
    dip : array
        In radians.
    length, width : array
        In the unit of x and y.

    Returns
    -------
    strike_slip, dip_slip : (3,) tuple of arrays
        x, y and z (up) for each.
    """
    limit = np.pi / 2 - VERTICAL
    dip = np.clip(dip, -limit, limit)
    # Some terms are 0/0 at xi = 0 or q = 0, which this small step makes impossible.
    step = 1e-10 * depth
    p = y * np.cos(dip) + depth * np.sin(dip)  # (30)
    q = y * np.sin(dip) - depth * np.cos(dip) + step
    x = x + step
    corners = [
        _corner(xi, eta, q, np.sin(dip), np.cos(dip))
        for xi in (x, x - length)
        for eta in (p, p - width)
    ]
    # Chinnery's notation, (24)
    total = [
        (a - b - c + d) / (-2 * np.pi) for a, b, c, d in zip(*corners, strict=True)
    ]
    return total[:3], total[3:]


def _corner(xi, eta, q, sin, cos):
    """The six functions that (25) and (26) take at a corner (xi, eta)."""
    y, d = eta * cos + q * sin, eta * sin - q * cos  # (30)
    big_x2 = xi * xi + q * q
    big_x, r = np.sqrt(big_x2), np.sqrt(big_x2 + eta * eta)
    longer = r + np.abs(eta)
    r_eta = np.where(eta > 0, longer, big_x2 / longer)  # r + eta, all its digits
    log_eta = np.log(r_eta)
    q_eta, q_xi = q / (r * r_eta), q / (r * (r + xi))
    angle = np.arctan(xi * eta / (q * r))

    mu = 1 - 2 * POISSON  # mu / (lambda + mu)
    turned = eta * (big_x + q * cos) + big_x * (r + big_x) * sin
    i5 = 2 * mu / cos * np.arctan(turned / (xi * (r + big_x) * cos))
    i4 = mu / cos * (np.log(r + d) - sin * log_eta)
    i3 = mu * (y / (cos * (r + d)) - log_eta) + sin / cos * i4
    i2 = -mu * log_eta - i3
    i1 = -mu * xi / (cos * (r + d)) - sin / cos * i5  # (28)

    return (
        xi * q_eta + angle + i1 * sin,  # (25)
        (y + r * cos) * q_eta + i2 * sin,
        (d + r * sin) * q_eta + i4 * sin,
        q / r - i3 * sin * cos,  # (26)
        y * q_xi + cos * angle - i1 * sin * cos,
        d * q_xi + sin * angle - i5 * sin * cos,
    )
