"""Actions that several screens share: functions ``do_<action>`` and ``why_not_<action>`` named as in the key table."""
