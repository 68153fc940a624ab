"""How the arguments of tasks and notifiers are rendered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_smspartner._tasks.arguments import ANY_JINJA, is_literal

if TYPE_CHECKING:
    # Of BaseOperator and BaseNotifier alike; where it is imported from differs between Airflows.
    class _Templater:
        def render_template(self, content: Any, *args: Any, **kwargs: Any) -> Any: ...
else:
    _Templater = object


class KeepsLiterals(_Templater):
    """Renders templates, and leaves other texts as they are; stands before Airflow's own class."""

    def render_template(self, content: Any, *args: Any, **kwargs: Any) -> Any:
        """
        Render a value, or what is in it: a text without a template stays as it is.

        A DAG with ``render_template_as_native_obj`` would make an integer of the text "+33612345678".

        :param content: the value.
        :param args: as Airflow gives them.
        :param kwargs: as Airflow gives them.
        """
        if isinstance(content, str) and is_literal(content, ANY_JINJA):
            return content
        return super().render_template(content, *args, **kwargs)
