"""The notifier: an SMS when a task or a DAG run has failed, or has ended in another way, or misses a deadline."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.notifier import BaseNotifier

from airflow_provider_smspartner._files.row_file import names_a_file
from airflow_provider_smspartner._sending.recipients import MAX_RECIPIENTS
from airflow_provider_smspartner._tasks.arguments import (
    ANY_JINJA,
    check_literal_recipients,
    check_literals,
    check_rendered,
    is_literal,
)
from airflow_provider_smspartner._tasks.templates import RendersTexts
from airflow_provider_smspartner.exceptions import SMSPartnerInputError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.protocol.texts import MAX_PARTS, cut, encodable, made_sendable

if TYPE_CHECKING:
    import jinja2
    from airflow.providers.common.compat.sdk import Context

# No phone number has one of these in it.
_BETWEEN_NUMBERS = re.compile(r"[,;\n]")


class SMSPartnerNotifier(RendersTexts, BaseNotifier):
    """
    Send an SMS as a callback of a task or a DAG, such as ``on_failure_callback``.

    Each time it is called it sends at most once: a send that failed is tried again only where it surely was not made.
    Airflow ignores an error of a callback but for its log.

    Airflow 3.1 and later also take it for deadline alerts, in ``AsyncCallback``: then `async_notify` sends, in the
    triggerer. Three things about those are Airflow's. In ``SyncCallback`` Airflow 3.3 finds no connections, and nothing
    is sent. It keeps the arguments in its database, and logs them if the callback fails: name a file of recipients
    there, and no phone numbers. And it calls again if the triggerer dies meanwhile, which can send the SMS again.

    :param recipients: who gets the SMS: a phone number as text, several in a text with commas, semicolons or line
        breaks between them, a list of them, or the path of an NDJSON, CSV or Parquet file with a column
        ``phone_number``. A template that gives a list renders to text: join it, as in
        ``{{ var.json.on_call | join(',') }}``. (templated)
    :param message: the text. What is more than 10 SMS hold, about 1,530 characters, is cut off; what cannot be sent
        is replaced. (templated)
    :param tag: to find the SMS by later: 1 to 20 characters without white space. (templated)
    :param sender: who it is from: 3 to 11 letters or digits; by default the account's own. (templated)
    :param smspartner_conn_id: the Airflow connection that holds the API key. (templated)
    :param kwargs: `context`, which Airflow gives for a deadline, since 3.1.
    :raises SMSPartnerInputError: if an argument is wrong, before anything is sent.
    :raises SMSPartnerError: see the error tree in `airflow_provider_smspartner.exceptions`.

    .. seealso:: https://www.docpartner.dev/en/api/sms-partner
    """

    template_fields: Sequence[str] = ("recipients", "message", "tag", "sender", "smspartner_conn_id")
    _optional: ClassVar[frozenset[str]] = frozenset({"tag", "sender"})

    _given: frozenset[str] = frozenset()
    """Templated arguments that were given: what becomes of them is never taken for not given."""

    _templates: Mapping[str, Any] = MappingProxyType({})
    """What the arguments were before they were rendered last: an object may serve several callbacks."""

    _rendered_to: Mapping[str, Any] = MappingProxyType({})
    """What they were rendered to."""

    def __init__(
        self,
        *,
        recipients: str | Iterable[object],
        message: str,
        tag: str | None = None,
        sender: str | None = None,
        smspartner_conn_id: str = SMSPartnerHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.recipients = recipients
        self.message = message
        self.tag = tag
        self.sender = sender
        self.smspartner_conn_id = smspartner_conn_id
        check_literals(self)

    def notify(self, context: Context) -> None:
        """
        Send the SMS.

        :param context: the context that the templates were rendered with.
        """
        check_rendered(self)
        try:
            with SMSPartnerHook(self.smspartner_conn_id) as hook:
                _check_sent(hook.send(self._numbers, self._cut_text(), tag=self.tag, sender=self.sender))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised again
            # Beside a traceback some Airflows print the values of variables, which further down are numbers and texts.
            raise error.with_traceback(None) from None

    async def async_notify(self, context: Context) -> None:
        """
        Send the SMS: as `notify`, asynchronously.

        :param context: the context that the templates were rendered with.
        """
        check_rendered(self)
        hook = SMSPartnerHook(self.smspartner_conn_id)
        try:
            _check_sent(await hook.asend(self._numbers, self._cut_text(), tag=self.tag, sender=self.sender))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised again
            raise error.with_traceback(None) from None  # as in `notify`

    def render_template_fields(self, context: Context, jinja_env: jinja2.Environment | None = None) -> None:
        """
        Render the arguments, each time from what was given.

        :param context: what the templates may use.
        :param jinja_env: renders them; by default that of the DAG.
        :raises SMSPartnerInputError: names the argument and the kind of error.
        """
        environment = jinja_env or self._environment_of(context.get("dag"))
        # Not in variables: some Airflows print them beside a traceback.
        self._templates = {name: self._template_of(name) for name in self.template_fields}
        vars(self).update(self._templates)
        try:
            self._do_render_template_fields(self, self.template_fields, context, environment, set())
            if isinstance(self.tag, str):
                # Better another tag than no alert.
                self.tag = encodable(self.tag)
        finally:
            self._rendered_to = {name: getattr(self, name) for name in self.template_fields}

    def _environment_of(self, dag: Any) -> jinja2.Environment:
        try:
            return self.get_template_env(dag=dag)
        except AttributeError:
            # A serialised DAG, as `dag.test()` gives it to the callbacks of the DAG, cannot render.
            return self.get_template_env()

    def _template_of(self, name: str) -> Any:
        """Return what was given for an argument, also if it has been rendered since."""
        value = getattr(self, name)
        return self._templates[name] if value is self._rendered_to.get(name, self) else value

    def _update_context(self, context: Context) -> Context:
        # Airflow would put the arguments into the context, which it prints beside some tracebacks.
        return context

    def _check_lists(self) -> None:
        # A template may have commas in it.
        recipients = self._numbers if is_literal(self.recipients, ANY_JINJA) else self.recipients
        if isinstance(recipients, list | tuple):
            _check_sent(recipients)
        check_literal_recipients(
            recipients,
            cut(made_sendable(self.message, unicode=False), unicode=False)
            if isinstance(self.message, str)
            else self.message,
            unicode=False,
            max_recipients=MAX_RECIPIENTS,
            marks=ANY_JINJA,
        )

    @property
    def _numbers(self) -> object:
        """The recipients as the hook takes them."""
        recipients = self.recipients
        if not isinstance(recipients, str) or names_a_file(recipients):
            return recipients
        return [number for part in _BETWEEN_NUMBERS.split(recipients) if (number := part.strip())]

    def _cut_text(self) -> str:
        text = made_sendable(self.message, unicode=False)
        kept = cut(text, unicode=False)
        if len(kept) < len(text):
            self.log.warning(
                "The text has %d characters and is cut to %d, the most that %d SMS hold.",
                len(text),
                len(kept),
                MAX_PARTS,
            )
        return kept


def _check_sent(each: Sequence[object]) -> None:
    """Make sure that somebody is told: who gives an alarm means to."""
    if not each:
        raise SMSPartnerInputError("`recipients` is empty: there is nobody to send to.")


send_smspartner_notification = SMSPartnerNotifier
