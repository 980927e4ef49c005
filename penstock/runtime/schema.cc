#include "penstock/runtime/schema.h"

#include <fmt/format.h>

namespace penstock {

std::vector<Migration> runtime_migrations(const Dialect& dialect) {
    const auto id = dialect.type("id16");
    const auto integer = dialect.type("int");
    const auto text = dialect.type("text");
    const auto key = dialect.type("key");
    const auto blob = dialect.type("blob");
    const auto clustered = dialect.clustered();
    return {
        {"penstock",
         1,
         {
             // Who owns a partition, and how far it is applied. epoch is the fence; member and
             // session say who took it, rebuilder who makes the gate anew. What was admitted under
             // an older generation of the gate than gate_generation counts below gate_end only.
             fmt::format("CREATE TABLE penstock_owner ("
                         "grp {key} NOT NULL, topic {key} NOT NULL, part {integer} NOT NULL, "
                         "epoch {integer} NOT NULL, seq {integer} NOT NULL, "
                         "next_offset {integer} NOT NULL, fingerprint {integer} NOT NULL, "
                         "log_uuid {id} NOT NULL, turn_time {integer} NOT NULL, "
                         "gate_generation {integer} NOT NULL, gate_end {integer} NOT NULL, "
                         "rebuilder {id}, member {id}, session {text}, PRIMARY KEY (grp, topic, "
                         "part)){clustered}",
                         fmt::arg("key", key), fmt::arg("integer", integer), fmt::arg("id", id),
                         fmt::arg("text", text), fmt::arg("clustered", clustered)),
             // Where each rebuild of the gate ended: tells for ever which records count.
             fmt::format("CREATE TABLE penstock_gate_cut ("
                         "grp {key} NOT NULL, topic {key} NOT NULL, part {integer} NOT NULL, "
                         "generation {integer} NOT NULL, gate_end {integer} NOT NULL, "
                         "PRIMARY KEY (grp, topic, part, generation)){clustered}",
                         fmt::arg("key", key), fmt::arg("integer", integer),
                         fmt::arg("clustered", clustered)),
             // How many partitions of a topic count, and the line that its first record names.
             fmt::format("CREATE TABLE penstock_layout ("
                         "grp {key} NOT NULL, topic {key} NOT NULL, line {id} NOT NULL, "
                         "generation {integer} NOT NULL, partitions {integer} NOT NULL, "
                         "PRIMARY KEY (grp, topic)){clustered}",
                         fmt::arg("key", key), fmt::arg("integer", integer), fmt::arg("id", id),
                         fmt::arg("clustered", clustered)),
             // The processes of a group; lease_until by the database's own clock, in ms.
             fmt::format("CREATE TABLE penstock_member ("
                         "member {id} NOT NULL, grp {key} NOT NULL, "
                         "lease_until {integer} NOT NULL, PRIMARY KEY (member)){clustered}",
                         fmt::arg("key", key), fmt::arg("integer", integer), fmt::arg("id", id),
                         fmt::arg("clustered", clustered)),
             // One row per id: its outcome for ever (outcome 1 done, 2 refused).
             fmt::format("CREATE TABLE penstock_processed ("
                         "id {id} NOT NULL, part {integer} NOT NULL, body_hash {id} NOT NULL, "
                         "outcome {integer} NOT NULL, reason {text}, reply {blob} NOT NULL, "
                         "topic {text} NOT NULL, partition_no {integer} NOT NULL, "
                         "record_offset {integer} NOT NULL, decided_at {integer} NOT NULL, "
                         "PRIMARY KEY (id, part)){clustered}",
                         fmt::arg("integer", integer), fmt::arg("id", id), fmt::arg("text", text),
                         fmt::arg("blob", blob), fmt::arg("clustered", clustered)),
             // Records that could not be done, whole, to be looked at.
             fmt::format("CREATE TABLE penstock_dead_letter ("
                         "topic {key} NOT NULL, partition_no {integer} NOT NULL, "
                         "record_offset {integer} NOT NULL, id {blob}, type {text}, "
                         "record_key {blob}, record_value {blob}, cause {text} NOT NULL, "
                         "decided_at {integer} NOT NULL, "
                         "PRIMARY KEY (topic, partition_no, record_offset)){clustered}",
                         fmt::arg("key", key), fmt::arg("integer", integer), fmt::arg("text", text),
                         fmt::arg("blob", blob), fmt::arg("clustered", clustered)),
         }}};
}

Result<void> prepare_tables(Store& store, std::span<const std::unique_ptr<App>> apps) {
    std::vector<Migration> migrations = runtime_migrations(store.dialect());
    for (const auto& app : apps) {
        for (Migration& migration : app->migrations(store.dialect())) {
            migrations.push_back(std::move(migration));
        }
    }
    return store.prepare_schema(migrations);
}

}  // namespace penstock
