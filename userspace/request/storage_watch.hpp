#pragma once

#include <memory>
#include <string_view>

#include "base/bounded_text.hpp"
#include "proto/parser.hpp"
#include "request/exchange.hpp"
#include "request/storage_call.hpp"

namespace timesink::request {

/// Reads along in one exchange with object storage: what it asks for by its header, and of the answer S3's error code and upload
/// id. Owned by the open exchange. Memory: kKeptAnswer and the names.
class StorageWatch {
public:
    /// Null: it is no request to object storage.
    static std::unique_ptr<StorageWatch> of_request(const proto::Head& head);

    void response(const proto::Head& head) { status_ = head.status; }
    void content(const proto::Content& content);
    [[nodiscard]] const StorageCall& call() const { return call_; }
    /// The exchange is over, its sizes are known: gives it its `storage`, and an error where the status hides one.
    void finish(Exchange& exchange);

private:
    static constexpr std::size_t kKeptAnswer = std::size_t{2} * 1024;

    StorageCall call_;
    std::uint64_t decoded_ = 0;  ///< bytes of the object in a body that is signed in pieces; 0: it is not, or is not told
    int status_ = 0;
    BoundedText answer_{kKeptAnswer, 0};
};

}  // namespace timesink::request
