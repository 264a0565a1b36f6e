#pragma once

#include <map>
#include <memory>

#include "net/connection.hpp"
#include "redact/body_mask.hpp"

namespace timesink::redact {

/// The bodies of one connection's messages that are looked into, while they are open. Owned by the connection's state.
class Bodies {
public:
    explicit Bodies(const Secret& secret) : secret_(secret) {}
    void head(const proto::Head& head);
    void content(const proto::Content& content, const BodyMask::Put& put);
    void end(const proto::End& end, const BodyMask::Put& put);
    void clear() { open_.clear(); }

private:
    static constexpr std::size_t kMost = 4096;  // streams of HTTP/2 that are never over
    const Secret& secret_;
    std::map<proto::Correlation, std::unique_ptr<BodyMask>> open_;
};

}  // namespace timesink::redact
