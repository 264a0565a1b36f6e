#include "redact/bodies.hpp"

namespace timesink::redact {

void Bodies::head(const proto::Head& head) {
    const bool request = head.direction == proto::Direction::request;
    const auto found = open_.find(head.correlation);
    if (!request && found != open_.end()) {
        found->second->response(head);
        return;
    }
    auto mask = request ? BodyMask::of_request(head, secret_) : BodyMask::of_response(head, secret_);
    if (mask == nullptr) {
        return;
    }
    if (open_.size() >= kMost) {
        open_.erase(open_.begin());
    }
    open_[head.correlation] = std::move(mask);
}

void Bodies::content(const proto::Content& content, const BodyMask::Put& put) {
    if (const auto found = open_.find(content.correlation); found != open_.end()) {
        found->second->content(content, put);
    }
}

void Bodies::end(const proto::End& end, const BodyMask::Put& put) {
    if (end.direction != proto::Direction::response) {
        return;
    }
    if (const auto found = open_.find(end.correlation); found != open_.end()) {
        found->second->finish(put);
        open_.erase(found);
    }
}

}  // namespace timesink::redact
