#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/result.hpp"

namespace timesink::capture {

enum class Existing : std::uint8_t {
    replace_recordings,  ///< an existing file is replaced when it is empty or a recording
    replace,             ///< any regular file is
};

/// An open regular file; closes it. Errors name the path and the reason.
class File {
public:
    /// A new file of mode 0600 for writing. An existing one is unlinked first and never written into: its mode, its owner and its
    /// other links are not ours, and a symbolic link is not followed. Directories, devices, pipes and foreign files are refused.
    static Result<File> create(const std::string& path, Existing existing);
    /// Whether create() would succeed, as far as can be told without doing it.
    static Status check_destination(const std::string& path, Existing existing);
    static Result<File> open(const std::string& path);

    File(File&& other) noexcept;
    File& operator=(File&& other) noexcept;
    ~File();

    [[nodiscard]] const std::string& path() const { return path_; }
    /// Appends all of it. On failure, cuts the file back to `size_before`, so that no half section is left where that can be
    /// done.
    Status append(std::span<const std::byte> bytes, std::uint64_t size_before);
    /// Reads exactly bytes.size() bytes. Ok(false): the file ends before.
    Result<bool> read_at(std::uint64_t offset, std::span<std::byte> bytes) const;
    [[nodiscard]] Result<std::uint64_t> size() const;
    /// Closes; file systems that write late tell of a full disk only here.
    Status close();

private:
    File(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
    [[nodiscard]] Error failed(const char* doing, int error) const;

    std::string path_;
    int descriptor_ = -1;
};

}  // namespace timesink::capture
