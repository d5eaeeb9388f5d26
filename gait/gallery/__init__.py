"""The gallery: the store of record for people and their templates, its index, and enrolment."""
