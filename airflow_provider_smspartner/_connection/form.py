"""The connection's form in Airflow's UI, as the provider's metadata and as older Airflows want it."""

from __future__ import annotations

from functools import partial
from typing import Any

from airflow_provider_smspartner._connection.fields import (
    CONN_TYPE,
    EXTRA_FIELDS,
    HIDDEN_FIELDS,
    HOOK_NAME,
    PLACEHOLDERS,
    RELABELING,
    ExtraField,
)


def connection_type(hook_class_name: str) -> dict[str, Any]:
    """Return the connection's type and form as provider metadata, which Airflow reads since 3.2."""
    return {
        "connection-type": CONN_TYPE,
        "hook-class-name": hook_class_name,
        "hook-name": HOOK_NAME,
        "ui-field-behaviour": {
            "hidden-fields": list(HIDDEN_FIELDS),
            "relabeling": RELABELING,
            "placeholders": PLACEHOLDERS,
        },
        "conn-fields": {
            extra.name: {
                "label": extra.label,
                "description": extra.description,
                "schema": {
                    # The null makes the field optional in the form.
                    "type": [extra.json_type, "null"],
                    "default": extra.default,
                    **extra.bounds,
                },
            }
            for extra in EXTRA_FIELDS
        },
    }


def form_widgets() -> dict[str, Any]:
    """Return the form's extra fields, for Airflow up to 3.1."""
    # Only Airflow's web server up to 3.1 is sure to have these.
    from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
    from flask_babel import lazy_gettext
    from wtforms import BooleanField, IntegerField, StringField
    from wtforms.validators import Optional

    # No FloatField: Airflow drops a connection type with a field of any other class than these and PasswordField.
    field_classes = {"boolean": BooleanField, "integer": IntegerField, "number": StringField}
    return {
        extra.name: field_classes[extra.json_type](
            lazy_gettext(extra.label),
            description=extra.description,
            default=extra.placeholder if extra.json_type == "number" else extra.default,
            validators=[Optional(), partial(_check, extra)],
            # A boolean keeps its own widget, the check box.
            widget=None if extra.json_type == "boolean" else BS3TextFieldWidget(),
        )
        for extra in EXTRA_FIELDS
    }


def _check(extra: ExtraField, _form: object, field: Any) -> None:
    from wtforms.validators import ValidationError

    try:
        extra.read(field.data)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def ui_field_behaviour() -> dict[str, Any]:
    """Return the behaviour of the form's standard fields, for Airflow up to 3.1."""
    return {
        "hidden_fields": list(HIDDEN_FIELDS),
        "relabeling": dict(RELABELING),
        "placeholders": dict(PLACEHOLDERS),
    }
