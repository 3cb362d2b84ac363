"""Checks that the module of `--module` fits the other settings."""

from __future__ import annotations

from components.common.errors import ConfigError
from components.trainer.models import ArchitectureSettings
from components.user_module.settings import ModuleSettings
from components.user_module.source import BUILD_MODEL, RUN_FN, UserModule, find_module
from pipeline.settings.presets import DEFAULT_PRESET, MODULE_PRESET


def find_user_module(
    name: str | None, model: ArchitectureSettings, preset: str
) -> UserModule | None:
    """Find the user's module, and check that it fits the model.

    Args:
        name: File or dotted name of the module; None if there is none.
        model: Settings of the model.
        preset: Name of the preset, for messages.

    Returns:
        The module, or None if there is none.

    Raises:
        ConfigError: If there is no such module, it does not fit the architecture, or it is not
            known whether the model of its `run_fn` returns a probability or a logit.
    """
    of_user = isinstance(model, ModuleSettings)
    if name is None:
        if of_user:
            raise ConfigError(
                f'the architecture {model.architecture} needs a module',
                hint='pass --module FILE.py, or another preset',
            )
        return None
    module = find_module(name)
    functions = ' and '.join(module.functions)
    if of_user and not module.trains:
        raise ConfigError(
            f'the module {name} has no model: it defines {functions}',
            hint=f'define {RUN_FN} or {BUILD_MODEL}, or pass another preset, such as '
            f'--preset {DEFAULT_PRESET}',
        )
    if not of_user and module.trains:
        raise ConfigError(
            f'the module {name} defines {functions}, but the preset {preset} '
            f'trains a model of its own, {model.architecture}',
            hint=f'pass --preset {MODULE_PRESET}, or leave out --preset',
        )
    if isinstance(model, ModuleSettings) and RUN_FN in module.functions and model.output is None:
        raise ConfigError(
            f'the model of the {RUN_FN} of {name} may return a probability or a logit',
            hint='pass --set trainer.model.output=probability or --set trainer.model.output=logit',
        )
    return module
