//! The integration tests: the real server over real stores, called as clients call it.
