"""What scikit-learn expects of an estimator, without needing scikit-learn."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np


class Estimator:
    """Settings that `__init__` stores under its arguments' names, and no more."""

    @classmethod
    def _settings(cls) -> tuple[str, ...]:
        code = cls.__init__.__code__
        return code.co_varnames[1 : code.co_argcount]

    def get_params(self, deep=True):
        """Give the settings as a dict."""
        return {name: getattr(self, name) for name in self._settings()}

    def set_params(self, **params):
        """Change settings; they act on the next fit."""
        for name, value in params.items():
            if name not in self._settings():
                raise ValueError(
                    f"Invalid parameter {name!r} for estimator {type(self).__name__}"
                )
            setattr(self, name, value)
        return self

    def __repr__(self):
        """Say how it was made, with the settings that differ from the defaults."""
        defaults = type(self)().get_params()
        changed = [
            f"{k}={v!r}" for k, v in self.get_params().items() if v != defaults[k]
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    @property
    def n_iter_(self):
        """Iterations of the member that took the most."""
        return max(one["n_iterations"] for one in self.history_)

    def _require_fit(self) -> None:
        if not hasattr(self, "layout_"):
            raise _not_fitted(
                f"This {type(self).__name__} instance is not fitted yet: call fit()"
            )

    def __sklearn_is_fitted__(self):
        """Whether fit has been called."""
        return hasattr(self, "layout_")

    def __sklearn_tags__(self):
        """Tell scikit-learn what this is: a regressor of one or several targets."""
        from sklearn.utils import InputTags, RegressorTags, Tags, TargetTags

        return Tags(
            estimator_type="regressor",
            target_tags=TargetTags(required=True, multi_output=True),
            regressor_tags=RegressorTags(poor_score=True),
            input_tags=InputTags(),
        )


def plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as JSON has them; a tuple, which is a range, stays apart from a list."""
    texts = {}
    for key, value in settings.items():
        if isinstance(value, tuple):
            texts[key] = {"between": [int(bound) for bound in value]}
        elif isinstance(value, np.generic):
            texts[key] = value.item()
        elif isinstance(value, list):
            texts[key] = [int(width) for width in value]
        else:
            texts[key] = value
    return texts


def restored(texts: dict[str, Any]) -> dict[str, Any]:
    """Give settings back from what `plain` made of them."""
    return {
        key: tuple(value["between"]) if isinstance(value, dict) else value
        for key, value in texts.items()
    }


def _not_fitted(message: str) -> Exception:
    """scikit-learn's own exception where scikit-learn is in use, else its like."""
    if "sklearn" in sys.modules:
        from sklearn.exceptions import NotFittedError

        return NotFittedError(message)
    return ValueError(message)
