import type { Crash, CrashSite } from './crash.ts'
import { callPoints, idlePoints, variantsOf, ways, type CrashPoint, type Variant } from './crash-points.ts'

export interface Plan {
  readonly point: CrashPoint
  readonly variant: Variant
}

/** Every point of every way at one gateway, with what its customer does afterwards. */
export async function planCrashes(site: CrashSite, { all }: { readonly all: boolean }): Promise<Plan[]> {
  const points: CrashPoint[] = []
  for (const way of ways) points.push(...(await site.listPoints(way)), ...callPoints(site.gateway, way))
  points.push(...idlePoints)
  return points.flatMap((point) => variantsOf(point, all).map((variant) => ({ point, variant })))
}

/** Sites of one gateway work through the plans, each on its own. `tell` hears of each as it is done. */
export async function crashAt(
  sites: readonly CrashSite[],
  plans: readonly Plan[],
  tell: (crash: Crash) => void = () => {},
): Promise<Crash[]> {
  const crashes: Crash[] = []
  let next = 0
  await Promise.all(
    sites.map(async (site) => {
      for (let plan = plans[next++]; plan; plan = plans[next++]) {
        const crash = await site.crash(plan.point, plan.variant)
        crashes.push(crash)
        tell(crash)
      }
    }),
  )
  return crashes
}
