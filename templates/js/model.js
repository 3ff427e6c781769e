// @ts-check
// The connections of a report in memory: one typed array a column, and dictionaries for what repeats.

/**
 * @typedef {object} Process
 * @property {number} pid
 * @property {string} started RFC 3339
 * @property {number} ppid
 * @property {string} comm
 * @property {string} exe
 * @property {string} cmdline
 * @property {string} cwd
 * @property {number} uid
 * @property {number} euid
 * @property {string | null} user
 * @property {number | null} session
 * @property {"deleted" | "memfd" | null} state of its executable
 * @property {string | null} sha256
 * @property {string | null} unhashed why there is no digest
 * @property {boolean} redacted whether secrets were taken out of its command line
 * @property {boolean} kernel whether it is a thread of the kernel
 * @property {string} cgroup
 * @property {string | null} unit
 * @property {string[]} container name, id, image and runtime, as far as known
 * @property {string} containerShown
 * @property {string | null} pod
 * @property {number | null} parent its parent's place in the dictionary
 */

/**
 * @typedef {object} Endpoint
 * @property {string} ip
 * @property {bigint} number its address as 128 bits, IPv4 as IPv4-mapped IPv6
 * @property {boolean} public
 * @property {string} kind of address
 * @property {string | null} country
 * @property {number | null} asn
 * @property {string | null} org
 * @property {string | null} city
 * @property {[number, number] | null} at longitude and latitude, where a database knew a city
 */

/** @typedef {{name: string, source: string, process: number | null}} Name */
/** @typedef {{name: string, color: string | null, text: boolean}} Label */
/** @typedef {{name: string, at: [number, number]}} Country */
/** @typedef {{label: string, latitude: number, longitude: number, source: string, country_only?: boolean}} Home */
/** @typedef {{indicator: string, list: string, kind: string}} Hit */
/** @typedef {{process: number, tx: number, rx: number, txCalls: number, rxCalls: number}} Share */

/**
 * What is in every row, and the dictionaries.
 * @typedef {object} Rows
 * @property {number} rows places in the columns
 * @property {Uint32Array} order the rows that count, by the time at which they were opened
 * @property {Map<number, number>} byId rows by id: filled when it is first asked
 * @property {number} total connections that were chosen, of which the rows may be a part
 * @property {[number, number]} window milliseconds since 1970 that the page covers
 * @property {Home | null} home where the host stands
 * @property {Map<string, Country>} countries by code
 * @property {number} step milliseconds of the steps in which bytes are kept by time
 * @property {Map<number, Float64Array>} steps of the rows that did not move all bytes in the step in which they were opened: see `steps.js`
 * @property {Model} [whole] where `tx`, `rx` and `shares` are of a chosen time only: the model with all of them
 * @property {number} base milliseconds since 1970 to which times refer
 * @property {number} open the code of an end that has not come
 * @property {Float64Array} opened nanoseconds since `base`
 * @property {Float64Array} lasted nanoseconds, up to the end or the recording's last word
 * @property {Float64Array} tx application bytes sent
 * @property {Float64Array} rx application bytes received
 * @property {Int32Array} owner of the socket, a place in `processes`, or -1
 * @property {Map<number, Share[]>} shares who moved what, of the rows that are not their owner's alone
 * @property {Map<number, number[]>} others processes besides the owner that moved bytes, of the rows that have any
 * @property {ArrayLike<number>} id in the store
 * @property {ArrayLike<number>} txCalls
 * @property {ArrayLike<number>} rxCalls
 * @property {ArrayLike<number>} named when the first name was seen, microseconds after the row was opened
 * @property {Map<number, number[]>} moreNamed when the other names were, of the rows that have any
 * @property {ArrayLike<number>} run
 * @property {ArrayLike<number>} inexact
 * @property {ArrayLike<number>} flags one bit for each of `FLAGS`
 * @property {Uint32Array} local
 * @property {Uint32Array} remote
 * @property {Uint16Array} localPort
 * @property {Uint16Array} remotePort
 * @property {Uint16Array} port of the service
 * @property {ArrayLike<number>} proto
 * @property {Uint8Array} direction
 * @property {Uint8Array} end
 * @property {ArrayLike<number>} service
 * @property {Uint32Array} names
 * @property {ArrayLike<number>} label
 * @property {ArrayLike<number>} hits
 * @property {readonly Process[]} processes
 * @property {readonly Endpoint[]} endpoints
 * @property {readonly string[]} protos
 * @property {readonly string[]} locals
 * @property {readonly string[]} services a word each
 * @property {readonly string[]} serviceNames as they are shown
 * @property {readonly string[]} inexactReasons
 * @property {readonly Name[][]} nameSets
 * @property {readonly Label[]} labels
 * @property {readonly Hit[][]} hitSets
 */

/** @typedef {Rows & import("./columns.js").FactColumns} Model */

export {};
