#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/http1/fields.hpp"
#include "proto/parser.hpp"

struct nghttp2_hd_inflater;

namespace timesink::proto::http2 {

/// What the analysis keeps of one header block. Unknown is empty, or 0.
struct Block {
    explicit Block(Direction direction) : fields(direction) {}
    void clear();

    std::string method;
    std::string path;
    bool path_truncated = false;
    std::string authority;
    std::string content_type;  ///< its first bytes
    int status = 0;
    int grpc_status = -1;  ///< -1: none
    bool hidden = false;   ///< has fields from before what was seen
    bool cut = false;      ///< a part of it was not seen, or could not be read
    http1::Fields fields;  ///< what HTTP/1 keeps too
};

/// The header blocks of one direction, by libnghttp2's inflater (HPACK, RFC 7541). Owned by a parser.
///
/// HPACK names fields by their place in a table of earlier fields. When earlier blocks were not seen (attach in mid-connection,
/// gap) the table is filled with nameless entries: what the peer adds from then on is found at its place, what it added before is
/// unknown, and is never mistaken for something else. For that our table must drop nothing that the peer still has, so it is made
/// larger than those that are in use; a larger one is an error here and unknown again.
class HeaderBlocks {
public:
    /// A peer that announces a larger table is not followed: the memory of a connection is bounded.
    static constexpr std::size_t kLargestTable = std::size_t{64} * 1024;
    /// Of one block; each may stand for the largest entry of the table.
    static constexpr std::size_t kMostFields = 2048;

    HeaderBlocks() = default;
    ~HeaderBlocks();
    HeaderBlocks(const HeaderBlocks&) = delete;
    HeaderBlocks& operator=(const HeaderBlocks&) = delete;
    HeaderBlocks(HeaderBlocks&&) = delete;
    HeaderBlocks& operator=(HeaderBlocks&&) = delete;

    /// A piece of a block, at this position of the stream; `last`: its end. Once it cannot be read, the rest of the block is
    /// passed over. Tells the sink what of it may be recorded.
    void add(std::string_view piece, std::uint64_t position, bool last, Block& block, Sink& sink);
    /// The connection begins here: nothing is in the table.
    void fresh();
    /// Blocks, or parts of one, were not seen.
    void lost();
    /// A part of the block in progress was not seen; `over`: it is the last, else the rest of the block is passed over.
    void cut(bool over);

private:
    void prepare();
    void field(std::string_view name, std::string_view value, Block& block);
    void keep(Direction direction, std::string_view name, std::string_view value, Sink& sink);

    /// Where the bytes of the field in progress stand: several places when it goes over the end of a frame.
    struct Place {
        std::uint64_t position;
        std::size_t bytes;
    };
    std::vector<Place> places_;
    std::string raw_;                          ///< these bytes
    nghttp2_hd_inflater* inflater_ = nullptr;  ///< made when first needed
    bool known_ = false;                       ///< all blocks since the begin of the connection were seen
    bool unreadable_ = false;                  ///< the rest of this block
    std::size_t fields_ = 0;                   ///< of this block
};

}  // namespace timesink::proto::http2
