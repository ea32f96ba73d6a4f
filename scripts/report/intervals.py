"""95 % intervals of means over seeds. Imports none of the report's other modules.

An interval lies where its quantity can: with mean m and standard error s, Student's t is applied to m itself (any), to log m (positive)
or to logit m (share), the standard error there being s / m or s / (m (1 - m)) by the delta method. So a loss stays above 0 and a share in
[0, 1], and the mean lies within its interval.
"""
import functools
import math

SHARES = ("accuracy", "saturated", "dead_units", "recall", "f1", "auc", "calibration_error")
POSITIVE = ("loss", "gradient_norm", "activation_std", "brier", "mse")
SCALE_WORDS = {"any": "Student t", "positive": "Student t on a logarithmic scale", "share": "Student t on the logit scale"}


def scale_of(name):
    """Where the values of a column or a measure can lie: any, positive or share."""
    if name.endswith(SHARES):
        return "share"
    return "positive" if name.endswith(POSITIVE) else "any"


def coverage(t, df):
    """P(|T| < t) of Student's t with df degrees of freedom: Abramowitz & Stegun 26.7.3 and 26.7.4."""
    theta = math.atan2(t, math.sqrt(df))
    odd = df % 2
    term, total = (math.cos(theta) if odd else 1.0), 0.0
    for k in range(2 + odd, df + 1, 2):
        total += term
        term *= math.cos(theta) ** 2 * (k - 1) / k
    return (theta + math.sin(theta) * total) * 2 / math.pi if odd else math.sin(theta) * total


@functools.lru_cache(maxsize=None)
def student_t(df):
    """The t that |T| stays below with probability 0.95."""
    low, high = 0.0, 13.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if coverage(middle, df) < 0.95 else (low, middle)
    return low


def interval(mean, std, count, scale):
    """(low, high); NaN for fewer than two values, and for a mean that its scale does not allow."""
    if count < 2 or not math.isfinite(mean) or not math.isfinite(std):
        return math.nan, math.nan
    half = student_t(int(count) - 1) * std / math.sqrt(count)
    if scale == "any" or half == 0:
        return mean - half, mean + half
    if mean <= 0 or (scale == "share" and mean >= 1):
        return math.nan, math.nan
    if scale == "positive":
        factor = math.exp(min(half / mean, 700))
        return mean / factor, mean * factor
    factor, odds = math.exp(min(half / (mean * (1 - mean)), 700)), mean / (1 - mean)
    low, high = odds / factor, odds * factor
    return low / (1 + low), high / (1 + high)
