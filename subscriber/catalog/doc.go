// Package catalog reads MSF and CMSF catalogs of every generation into one model: lenient in what it accepts, and loud
// about what it leaves out.
package catalog
