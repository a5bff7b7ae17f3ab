// Package disk is a storage.Durable in a directory. What is acknowledged survives the process and the machine, what is not is
// there as a whole or not at all, and the files are plain: a file under the path of its key holds the content and nothing
// else, so that nginx can serve the directory as it is.
//
// Writing: a temporary file in .tmp, fsync, rename, fsync of the directory. Open removes what a crash left in .tmp. One
// process writes to a directory at a time: Open takes a lock on .lock and refuses a second one. Reading needs no lock, by
// OpenReader from any process, for a name changes from one whole file to another at once. OpenGuest, without the lock, is for
// adding keys that the writer does not write.
//
// The limit is one of bytes of content. Blobs beyond it are refused, and so are those that would leave less than 64 MiB on the
// file system; documents are taken as long as anything fits, for they are what lets a retention give things up. .quarantine
// counts for nothing.
//
// A key is a path (see locate): elements of letters, digits, '-', '_', '~' and '.', of which the last has a dot within and the
// others have none. So keys and paths are one to one, a file is never in the way of a directory, names that begin with a dot
// are ours, and nothing else that lies in the directory, such as lost+found, is taken for content. Where the file system takes
// upper and lower case for the same, names that differ in case only meet in one file; the second Put is a conflict then.
// Symbolic links are not followed out of the directory (os.Root), and a file that is not regular is not opened.
//
// The content type of playlists, MPDs and books follows from their extension. That of a track's media is in the directory's
// file .type; a file that differs from both has one of its own, .FILE.type. Cache-Control is not kept: it is the business of
// whoever serves the directory. The digest is computed on reading, so that a reader who knows what it must be notices flipped
// bits and truncation; Quarantine moves such a file to .quarantine, where an operator finds it under its path.
package disk
