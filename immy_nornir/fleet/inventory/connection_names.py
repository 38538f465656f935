"""Names of connection variables: what immy reads, and what Ansible knows beside, so that near misses can be told."""

from __future__ import annotations

from typing import Final

from immy_nornir.fleet.inventory.addresses import PSRP_NAMES, READ

_WINRM: Final = (
    *("scheme", "path", "transport", "realm", "server_cert_validation", "ca_trust_path", "cert_pem", "cert_key_pem"),
    *("message_encryption", "operation_timeout_sec", "read_timeout_sec", "connection_timeout", "proxy", "service"),
    *("kerberos_delegation", "kerberos_hostname_override", "credssp_disable_tlsv1_2", "send_cbt", "kinit_mode"),
    *("kinit_cmd", "kinit_args", "kerberos_mode"),
)
_SSH: Final = (
    *("common_args", "extra_args", "executable", "private_key_file", "host_key_checking", "args", "pipelining"),
    *("private_key", "private_key_passphrase", "retries", "timeout", "transfer_method", "use_tty", "control_path"),
    *("control_path_dir", "controlpersist", "password_mechanism", "pkcs11_provider", "verbosity"),
)
_BECOME: Final = ("user", "method", "pass", "password", "exe", "flags", "prompt_l10n")
_PSRP: Final = ("negotiate_delegate", "negotiate_service", "negotiate_send_cbt", "negotiate_hostname_override")
_PSRP_MORE: Final = ("ignore_proxy", "max_envelope_size", "configuration_name", "reconnection_retries", "credssp_auth")
_OTHERS: Final = (
    *("connection", "host", "port", "user", "password", "pass", "become", "timeout", "connection_timeout"),
    *("private_key_file", "host_key_checking", "remote_tmp", "pipelining", "shell_type", "shell_executable"),
    *("python_interpreter", "network_os", "facts", "group_priority", "async_dir", "scp_if_ssh", "sftp_batch_mode"),
    *("scp_executable", "scp_extra_args", "sftp_executable", "sftp_extra_args", "control_path", "command_timeout"),
    *("connect_timeout", "ssh_common_args", "sudo_pass", "su_pass", "date_time", "distribution", "os_family"),
)
KNOWN: Final = frozenset(
    (
        *READ,
        *PSRP_NAMES.values(),
        *(f"ansible_winrm_{name}" for name in _WINRM),
        *(f"ansible_ssh_{name}" for name in _SSH),
        *(
            f"ansible_paramiko_{name}"
            for name in (*_SSH, "host_key_auto_add", "look_for_keys", "proxy_command", "pass")
        ),
        *(f"ansible_become_{name}" for name in _BECOME),
        *(f"ansible_psrp_{name}" for name in (*_PSRP, *_PSRP_MORE)),
        *(f"ansible_{name}" for name in _OTHERS),
    )
)
"""Every name that immy or Ansible reads when it connects."""
