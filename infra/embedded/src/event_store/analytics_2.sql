-- Records that could not be read, set aside with the reason.
CREATE TABLE dead_letters (
    log INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    "offset" INTEGER NOT NULL,
    reason TEXT NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (log, partition, "offset")
) WITHOUT ROWID;
