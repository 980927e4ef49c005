#pragma once

#include <string>
#include <vector>

#include "penstock/base/files.h"
#include "penstock/log/log.h"

namespace penstock::logfile {

/// What topic.meta holds.
struct TopicMeta {
    struct Partition {
        Uuid uuid;
        Offset start;  ///< everything below was let go
    };
    TopicSpec spec;
    std::vector<Partition> partitions;
};

std::string encode(const TopicMeta& meta);
/// damaged, too_new.
Result<TopicMeta> decode_topic_meta(Bytes bytes);

/// `directory`: of the topic. not_found, damaged, too_new, io; the text names the file.
Result<TopicMeta> load_topic_meta(FileSystem& files, const std::string& directory);
/// Durable when it returns; before that the old one stays.
Result<void> save_topic_meta(FileSystem& files, const std::string& directory,
                             const TopicMeta& meta);

}  // namespace penstock::logfile
