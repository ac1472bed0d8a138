// The sources of this module come here.
