"""The role of this process in a search over several machines, from KerasTuner's environment variables.

    KERASTUNER_TUNER_ID=chief    KERASTUNER_ORACLE_IP=10.0.0.1 KERASTUNER_ORACLE_PORT=8000    on one machine
    KERASTUNER_TUNER_ID=worker1  KERASTUNER_ORACLE_IP=10.0.0.1 KERASTUNER_ORACLE_PORT=8000    on each of the others

All machines run the same command. The chief searches and does not train; the workers, each with a different id, ask it for
trials.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from kerasvision.errors import ConfigError

ID, IP, PORT = "KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT"


@dataclass(frozen=True)
class Role:
    """The role of this process in a search over several machines.

    Attributes:
        name: of this process; the chief's contains "chief".
        address: "host:port" of the chief.
    """

    name: str
    address: str

    @property
    def is_chief(self) -> bool:
        """Whether this process gives out the trials."""
        return "chief" in self.name


def read_role(environment: Mapping[str, str]) -> Role | None:
    """The role that KerasTuner's variables give to this process; None if they are not set.

    Raises:
        ConfigError: only some of them are set, or the port is not a port number.

    >>> read_role({"KERASTUNER_TUNER_ID": "chief", "KERASTUNER_ORACLE_IP": "10.0.0.1", "KERASTUNER_ORACLE_PORT": "8000"})
    Role(name='chief', address='10.0.0.1:8000')
    """
    found = {name: environment[name] for name in (ID, IP, PORT) if environment.get(name)}
    if not found:
        return None
    missing = [name for name in (ID, IP, PORT) if name not in found]
    if missing:
        raise ConfigError(f"a search over several machines also requires {', '.join(missing)}", received=found)
    if not found[PORT].isdecimal() or not 0 < int(found[PORT]) < 2**16:
        raise ConfigError(f"{PORT} must be a port from 1 to 65535", received=found[PORT])
    return Role(found[ID], f"{found[IP]}:{found[PORT]}")
